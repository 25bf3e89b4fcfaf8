// SPDX-License-Identifier: Apache-2.0
// The book-keeping of FailingPorts: which calls were made, which are to fail, what was taken and not given back.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <ostream>
#include <set>

namespace nearpool::fakes {

// One per method of the ports; looking at pages and moving them are two.
enum class Call {
    memory_map,
    memory_protect,
    memory_unmap,
    memory_advise,
    memory_lock,
    memory_unlock,
    memory_create_memfd,
    policy_bind,
    policy_set_thread,
    policy_get_thread,
    policy_query,
    policy_move,
    affinity_get,
    affinity_set,
    affinity_current,
    futex_wait,
    futex_wake,
    files_open,
    files_close,
    files_truncate,
    files_size,
    files_filesystem,
    files_read,
    files_list,
    threads_start,
    threads_set_name,
    threads_join,
    threads_detach,
    count
};

// Taken and not given back.
struct Held {
    std::size_t mapped_bytes = 0;
    std::size_t descriptors = 0;
    std::size_t threads = 0;

    bool operator==(const Held &other) const {
        return mapped_bytes == other.mapped_bytes && descriptors == other.descriptors && threads == other.threads;
    }
    friend std::ostream &operator<<(std::ostream &out, const Held &held) {
        return out << held.mapped_bytes << " bytes mapped, " << held.descriptors << " descriptors, " << held.threads
                   << " threads";
    }
};

// Safe from any thread.
class Ledger {
public:
    // Counts a call; the negative errno that it must answer, or 0.
    int enter(Call call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        Plan &plan = plans_[static_cast<std::size_t>(call)];
        plan.calls++;
        const bool step = is_step(call);
        steps_ += step ? 1 : 0;
        int error = plan.always;
        if (plan.fail_at == plan.calls) {
            error = plan.error;
        } else if (step && steps_ == fail_step_) {
            error = step_error_;
        }
        failures_ += error != 0 ? 1 : 0;
        return -error;
    }

    void fail_nth(Call call, uint64_t n, int error) {
        const std::lock_guard<std::mutex> lock(mutex_);
        Plan &plan = plans_[static_cast<std::size_t>(call)];
        plan.fail_at = plan.calls + n;
        plan.error = error;
    }

    void fail_always(Call call, int error) {
        const std::lock_guard<std::mutex> lock(mutex_);
        plans_[static_cast<std::size_t>(call)].always = error;
    }

    void fail_step(uint64_t n, int error) {
        const std::lock_guard<std::mutex> lock(mutex_);
        fail_step_ = steps_ + n;
        step_error_ = error;
    }

    void fail_nothing() {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (Plan &plan : plans_) {
            plan = Plan{plan.calls, 0, 0, 0};
        }
        fail_step_ = 0;
    }

    uint64_t calls(Call call) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return plans_[static_cast<std::size_t>(call)].calls;
    }

    uint64_t calls() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        uint64_t sum = 0;
        for (const Plan &plan : plans_) {
            sum += plan.calls;
        }
        return sum;
    }

    uint64_t steps() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return steps_;
    }

    uint64_t failures() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return failures_;
    }

    Held held() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        Held held{0, descriptors_.size(), threads_};
        for (const auto &[begin, end] : mappings_) {
            held.mapped_bytes += end - begin;
        }
        return held;
    }

    void mapped(const void *address, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto begin = reinterpret_cast<uintptr_t>(address);
        remove_range(begin, begin + bytes);
        mappings_[begin] = begin + bytes;
    }

    void unmapped(const void *address, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto begin = reinterpret_cast<uintptr_t>(address);
        remove_range(begin, begin + bytes);
    }

    void opened(int descriptor) {
        const std::lock_guard<std::mutex> lock(mutex_);
        descriptors_.insert(descriptor);
    }

    void closed(int descriptor) {
        const std::lock_guard<std::mutex> lock(mutex_);
        descriptors_.erase(descriptor);
    }

    void threads_changed(int by) {
        const std::lock_guard<std::mutex> lock(mutex_);
        threads_ = static_cast<std::size_t>(static_cast<int64_t>(threads_) + by);
    }

private:
    struct Plan {
        uint64_t calls = 0;
        uint64_t fail_at = 0; // 0: never
        int error = 0;
        int always = 0;
    };

    // Giving back, waiting and naming are not steps that an operation must survive.
    static bool is_step(Call call) {
        switch (call) {
        case Call::memory_unmap:
        case Call::memory_unlock:
        case Call::futex_wait:
        case Call::futex_wake:
        case Call::files_close:
        case Call::threads_set_name:
        case Call::threads_join:
        case Call::threads_detach:
            return false;
        default:
            return true;
        }
    }

    void remove_range(uintptr_t begin, uintptr_t end) {
        auto place = mappings_.upper_bound(begin);
        if (place != mappings_.begin()) {
            place = std::prev(place);
        }
        while (place != mappings_.end() && place->first < end) {
            const auto [from, to] = *place;
            if (to <= begin) {
                ++place;
                continue;
            }
            place = mappings_.erase(place);
            if (from < begin) {
                mappings_[from] = begin;
            }
            if (to > end) {
                mappings_[end] = to;
            }
        }
    }

    mutable std::mutex mutex_;
    std::array<Plan, static_cast<std::size_t>(Call::count)> plans_;
    uint64_t steps_ = 0;
    uint64_t fail_step_ = 0; // 0: never
    int step_error_ = 0;
    uint64_t failures_ = 0;
    std::map<uintptr_t, uintptr_t> mappings_; // begin to end, disjoint
    std::set<int> descriptors_;
    std::size_t threads_ = 0;
};

} // namespace nearpool::fakes
