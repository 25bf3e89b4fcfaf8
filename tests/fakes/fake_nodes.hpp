// SPDX-License-Identifier: Apache-2.0
// Nodes made up: who runs where, and where pages are, by the rules of mbind(2), set_mempolicy(2) and move_pages(2).
#pragma once

#include "sys/constants.hpp"
#include "sys/ports.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace nearpool::fakes {

struct FakeNode {
    uint32_t number = 0;
    NumberSet cpus;                    // may be empty
    std::size_t room_pages = 1U << 20; // 0: a node without memory
};

struct FakePolicy {
    int mode = sys::policy_default;
    NumberSet nodes;
};

// Safe from any thread. A full node spills to the nearest by number.
class FakeNodes {
public:
    explicit FakeNodes(std::vector<FakeNode> nodes) {
        for (FakeNode &node : nodes) {
            allowed_ = allowed_.unite(node.cpus);
            if (node.room_pages > 0) {
                with_memory_.add(node.number);
            }
            nodes_[node.number] = std::move(node);
        }
    }

    template <class Body> decltype(auto) locked(Body &&body) {
        const std::lock_guard<std::mutex> lock(mutex_);
        return body();
    }

    // CPUs that the cpuset allows: setting others is cut down to these.
    void allow_cpus(const NumberSet &cpus) {
        locked([&] { allowed_ = cpus; });
    }
    // Setting an affinity answers 0 and changes nothing, as some sandboxes do.
    void ignore_affinity(bool ignore) {
        locked([&] { ignore_affinity_ = ignore; });
    }
    // The calling thread runs on this CPU from now on; without, on the first that its affinity allows.
    void run_on(uint32_t cpu) {
        locked([&] { this_thread().cpu = cpu; });
    }
    // The next `count` pages that are to be moved stay, with -error as their state.
    void refuse_moves(std::size_t count, int error = EBUSY) {
        locked([&] {
            refused_moves_ = count;
            refusal_ = error;
        });
    }
    // A page that finds no room where it is to be moved is dropped, as Linux 6.12 does with those of a huge page that
    // it had to split and that hold only zeros.
    void drop_when_full(bool drop) {
        locked([&] { drop_when_full_ = drop; });
    }
    void set_room(uint32_t node, std::size_t pages) {
        locked([&] { nodes_[node].room_pages = pages; });
    }
    std::size_t room(uint32_t node) {
        return locked([&] { return nodes_[node].room_pages; });
    }
    // Of the range that holds the address; policy_default where none was set.
    int mode_of(const void *address) {
        return locked([&] { return pages_[page_of(address)].policy.mode; });
    }
    // /proc/self/numa_maps of all that was bound or populated: a line for each run of pages with one policy.
    std::string numa_maps() {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::string text;
        for (auto first = pages_.begin(); first != pages_.end();) {
            std::map<int, std::size_t> counts;
            auto page = first;
            for (uintptr_t next = first->first;
                 page != pages_.end() && page->first == next && same(page->second.policy, first->second.policy);
                 ++page, next += base_page_bytes()) {
                counts[page->second.node]++;
            }
            std::ostringstream line;
            line << std::hex << first->first << std::dec << " fake";
            for (const auto &[node, count] : counts) {
                if (node != nowhere) {
                    line << " N" << node << "=" << count;
                }
            }
            text += line.str() + " kernelpagesize_kB=" + std::to_string(base_page_bytes() / 1024) + "\n";
            first = page;
        }
        return text;
    }
    // Pages that were populated under a bind without room: the real kernel would have killed the process.
    std::size_t kills() {
        return locked([&] { return kills_; });
    }

    // As Linux before 6.2 moves a cpuset: every thread may run on all of it, whatever it was pinned to.
    void move_cpuset(const NumberSet &cpus) {
        const std::lock_guard<std::mutex> lock(mutex_);
        allowed_ = cpus;
        for (auto &[id, thread] : threads_) {
            thread.cpus = cpus;
        }
    }

    int set_affinity(const NumberSet &cpus) { return set_affinity(this_thread_id(), cpus); }
    int set_affinity(pid_t thread, const NumberSet &cpus) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const NumberSet effective = cpus.intersect(allowed_);
        if (effective.empty()) {
            return -EINVAL;
        }
        if (!ignore_affinity_) {
            thread_of(thread).cpus = effective;
        }
        return 0;
    }

    NumberSet affinity() { return affinity(this_thread_id()); }
    NumberSet affinity(pid_t thread) {
        return locked([&] { return cpus_of(thread_of(thread)); });
    }

    void current(uint32_t *cpu, uint32_t *node) {
        const std::lock_guard<std::mutex> lock(mutex_);
        *cpu = cpu_of_thread();
        *node = node_of_cpu(*cpu);
    }

    int set_thread_policy(const FakePolicy &policy) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const int error = check(policy);
        if (error == 0) {
            this_thread().policy = policy;
        }
        return error;
    }

    FakePolicy thread_policy() {
        return locked([&] { return this_thread().policy; });
    }

    void forget(const void *address, std::size_t bytes, bool policy_too) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto begin = reinterpret_cast<uintptr_t>(address);
        auto entry = pages_.lower_bound(begin);
        while (entry != pages_.end() && entry->first < begin + bytes) {
            give_back(entry->second);
            entry = policy_too ? pages_.erase(entry) : std::next(entry);
        }
    }

    int populate(void *address, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        int error = 0;
        each_page(address, bytes, [&](uintptr_t number) {
            Page &page = pages_[number];
            if (page.node == nowhere && error == 0) {
                page.node = place(number, page.policy);
                error = page.node == nowhere ? -ENOMEM : 0;
            }
        });
        return error;
    }

    int bind(void *address, std::size_t bytes, const FakePolicy &policy, unsigned flags) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (const int error = check(policy); error != 0) {
            return error;
        }
        each_page(address, bytes, [&](uintptr_t number) {
            Page &page = pages_[number];
            page.policy = policy;
            const bool misplaced = page.node != nowhere && !policy.nodes.contains(static_cast<uint32_t>(page.node));
            if ((flags & sys::move_own) != 0 && misplaced && !policy.nodes.empty() && take(policy.nodes[0])) {
                give_back(page);
                page.node = static_cast<int>(policy.nodes[0]);
            }
        });
        return 0;
    }

    // The next so many looks at a page find the kernel moving it.
    void move_behind_the_back(std::size_t looks) {
        locked([&] { in_motion_ = looks; });
    }

    // Whether the page is really there is the real kernel's business.
    long look_or_move(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) {
        const long result = real_ports().policy.move_pages(count, pages, nullptr, states, flags);
        if (result < 0) {
            return result;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        long left = 0;
        for (std::size_t i = 0; i < count; i++) {
            if (nodes != nullptr && nodes_.count(static_cast<uint32_t>(nodes[i])) == 0) {
                return -ENODEV;
            }
            if (states[i] < 0) {
                continue;
            }
            const uintptr_t number = page_of(pages[i]);
            Page &page = pages_[number];
            if (page.node == nowhere) {
                page.node = std::max(place(number, page.policy), 0);
            }
            if (nodes == nullptr && in_motion_ != 0) {
                in_motion_--;
                states[i] = -ENOENT;
                continue;
            }
            states[i] = nodes == nullptr ? page.node : move(page, static_cast<uint32_t>(nodes[i]));
            if (states[i] == -ENOMEM && drop_when_full_) {
                give_back(page);
                real_ports().memory.advise(pages[i], base_page_bytes(), sys::advice_dont_need);
            }
            left += states[i] < 0 ? 1 : 0;
        }
        return nodes == nullptr ? 0 : left;
    }

private:
    static uintptr_t page_of(const void *address) {
        return reinterpret_cast<uintptr_t>(address) / base_page_bytes() * base_page_bytes();
    }
    static bool same(const FakePolicy &a, const FakePolicy &b) { return a.mode == b.mode && a.nodes == b.nodes; }
    struct Thread {
        NumberSet cpus;
        int64_t cpu = -1;
        FakePolicy policy;
    };
    static constexpr int nowhere = -1;
    struct Page {
        FakePolicy policy;
        int node = nowhere;
    };

    // Not the system's id, which a later thread may get again.
    Thread &this_thread() { return thread_of(this_thread_id()); }

    // The kernel gives numbers of threads again, and another to the thread that goes on in a child of fork().
    Thread &thread_of(pid_t number) {
        static std::atomic<uint64_t> next{0};
        thread_local const uint64_t own = next++;
        if (number == this_thread_id()) {
            known_[number] = own;
        }
        return threads_[known_[number]];
    }

    const NumberSet &cpus_of(const Thread &thread) const { return thread.cpus.empty() ? allowed_ : thread.cpus; }

    // What follows is called with the lock held.

    NumberSet cpus_of_thread() { return cpus_of(this_thread()); }

    uint32_t cpu_of_thread() {
        const Thread &thread = this_thread();
        const NumberSet cpus = cpus_of_thread();
        if (thread.cpu >= 0 && cpus.contains(static_cast<uint32_t>(thread.cpu))) {
            return static_cast<uint32_t>(thread.cpu);
        }
        return cpus.empty() ? 0 : cpus[0];
    }

    uint32_t node_of_cpu(uint32_t cpu) {
        for (const auto &[number, node] : nodes_) {
            if (node.cpus.contains(cpu)) {
                return number;
            }
        }
        return nodes_.begin()->first;
    }

    int check(const FakePolicy &policy) {
        const bool takes_none = policy.mode == sys::policy_default || policy.mode == sys::policy_local;
        if (policy.mode < 0 || policy.mode > sys::policy_weighted_interleave || (takes_none && !policy.nodes.empty())) {
            return -EINVAL;
        }
        if (policy.nodes.empty() && !takes_none && policy.mode != sys::policy_preferred) {
            return -EINVAL;
        }
        return policy.nodes.empty() || !policy.nodes.intersect(with_memory_).empty() ? 0 : -EINVAL;
    }

    bool take(uint32_t node) {
        const auto place = nodes_.find(node);
        if (place == nodes_.end() || place->second.room_pages == 0) {
            return false;
        }
        place->second.room_pages--;
        return true;
    }

    void give_back(Page &page) {
        if (page.node != nowhere) {
            nodes_[static_cast<uint32_t>(page.node)].room_pages++;
            page.node = nowhere;
        }
    }

    int take_near(uint32_t home) {
        std::vector<uint32_t> order;
        for (const auto &entry : nodes_) {
            order.push_back(entry.first);
        }
        const auto distance = [&](uint32_t node) { return node > home ? node - home : home - node; };
        std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return distance(a) < distance(b); });
        const auto found = std::find_if(order.begin(), order.end(), [&](uint32_t node) { return take(node); });
        return found == order.end() ? nowhere : static_cast<int>(*found);
    }

    int place(uintptr_t page, const FakePolicy &own) {
        const uint32_t here = node_of_cpu(cpu_of_thread());
        const FakePolicy &policy = own.mode == sys::policy_default ? this_thread().policy : own;
        switch (policy.mode) {
        case sys::policy_bind: {
            for (const uint32_t node : policy.nodes) {
                if (take(node)) {
                    return static_cast<int>(node);
                }
            }
            kills_++;
            return nowhere;
        }
        case sys::policy_preferred:
        case sys::policy_preferred_many:
            for (const uint32_t node : policy.nodes) {
                if (take(node)) {
                    return static_cast<int>(node);
                }
            }
            return take_near(policy.nodes.empty() ? here : policy.nodes[0]);
        case sys::policy_interleave:
        case sys::policy_weighted_interleave: // all weights are 1
            return take_near(policy.nodes[page / base_page_bytes() % policy.nodes.size()]);
        default:
            return take_near(here);
        }
    }

    template <class Body> void each_page(const void *address, std::size_t bytes, Body &&body) {
        const std::size_t unit = base_page_bytes();
        const uintptr_t begin = page_of(address);
        for (uintptr_t page = begin; page < reinterpret_cast<uintptr_t>(address) + bytes; page += unit) {
            body(page);
        }
    }

    int move(Page &page, uint32_t node) {
        if (page.node == static_cast<int>(node)) {
            return page.node;
        }
        if (refused_moves_ > 0) {
            refused_moves_--;
            return -refusal_;
        }
        if (!take(node)) {
            return -ENOMEM;
        }
        give_back(page);
        page.node = static_cast<int>(node);
        return page.node;
    }

    std::mutex mutex_;
    std::map<uint32_t, FakeNode> nodes_;
    std::map<uintptr_t, Page> pages_;
    std::map<uint64_t, Thread> threads_;
    std::map<pid_t, uint64_t> known_; // by the kernel's numbers
    NumberSet allowed_;
    NumberSet with_memory_; // also when it is used up
    bool ignore_affinity_ = false;
    std::size_t refused_moves_ = 0;
    int refusal_ = EBUSY;
    std::size_t in_motion_ = 0;
    bool drop_when_full_ = false;
    std::size_t kills_ = 0;
};

} // namespace nearpool::fakes
