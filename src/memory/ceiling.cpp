// SPDX-License-Identifier: Apache-2.0
#include "memory/ceiling.hpp"

#include "base/fork_mark.hpp"
#include "base/text.hpp"

#include <nearpool/level.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <sstream>

namespace nearpool {
namespace {

constexpr uint64_t mib = uint64_t{1} << 20;
constexpr uint64_t no_limit = uint64_t{1} << 62; // version 1 says the largest number of whole pages

// Page tables, what the kernel charges ahead for each CPU, and others of the group.
uint64_t margin_of(uint64_t limit) {
    return std::clamp(limit / 64, mib, 64 * mib);
}

std::optional<uint64_t> number_in(FilePort &files, const std::string &path) {
    std::string text;
    uint64_t number = 0;
    if (files.read(path, &text) != 0 || !(std::istringstream(text) >> number)) {
        return std::nullopt; // "max"
    }
    return number;
}

std::string limit_file(const ControlGroup &group) {
    return group.folder + (group.version_2 ? "/memory.max" : "/memory.limit_in_bytes");
}

std::optional<uint64_t> limit_of(FilePort &files, const ControlGroup &group) {
    const std::optional<uint64_t> limit = number_in(files, limit_file(group));
    return limit && *limit < no_limit ? limit : std::nullopt;
}

// What is charged to the group and cannot be dropped for somebody else.
std::optional<uint64_t> firm_bytes(FilePort &files, const ControlGroup &group) {
    const std::optional<uint64_t> used =
        number_in(files, group.folder + (group.version_2 ? "/memory.current" : "/memory.usage_in_bytes"));
    if (!used) {
        return std::nullopt;
    }
    std::string text;
    files.read(group.folder + "/memory.stat", &text);
    const std::string prefix = group.version_2 ? "" : "total_"; // with the groups below it
    uint64_t cached = 0;
    uint64_t dirty = 0;
    uint64_t slab = 0;
    std::istringstream lines(text);
    std::string name;
    for (uint64_t value = 0; lines >> name >> value;) {
        if (name == prefix + "inactive_file" || name == prefix + "active_file") {
            cached += value;
        } else if (name == "file_dirty" || name == "file_writeback" || name == "total_dirty" ||
                   name == "total_writeback") {
            dirty += value;
        } else if (name == "slab_reclaimable") {
            slab = value;
        }
    }
    const uint64_t reclaimable = (cached > dirty ? cached - dirty : 0) + slab;
    return *used > reclaimable ? *used - reclaimable : 0;
}

// What is being faulted in by all of this process. A child of fork() has one of its own: the parent's may be locked,
// and what it counts is not the child's.
struct UnderWay {
    static UnderWay &of_this_process() {
        static std::atomic<UnderWay *> newest{new UnderWay};
        UnderWay *known = newest.load(std::memory_order_acquire);
        if (!known->mark.forked()) {
            return *known;
        }
        auto *fresh = new UnderWay;
        if (newest.compare_exchange_strong(known, fresh, std::memory_order_acq_rel)) {
            return *fresh; // the parent's stays: somebody of the parent may have been in it
        }
        delete fresh;
        return *known;
    }

    const ForkMark mark;
    std::mutex mutex;
    std::condition_variable ended;
    std::size_t bytes = 0;
};

} // namespace

std::string Ceiling::Room::text() const {
    return format("the control group's limit of %.1f MiB (%s) leaves %.1f MiB",
                  static_cast<double>(limit_bytes) / static_cast<double>(mib), file.c_str(),
                  static_cast<double>(bytes) / static_cast<double>(mib));
}

Error Ceiling::Room::refuses(std::size_t wanted, const char *what) const {
    Error error = fail_system_as(NEAR_E_NOMEM, ENOMEM, "%zu bytes cannot be %s, %s", wanted, what, text().c_str());
    error.reason = NEAR_REASON_LIMIT;
    return error;
}

Ceiling::Ceiling(FilePort &files) : files_(files) {
    for (ControlGroup &group : control_groups(files, "memory")) {
        if (limit_of(files, group)) {
            limited_.push_back(std::move(group));
        }
    }
}

Ceiling::Room Ceiling::room() const {
    Room least;
    for (const ControlGroup &group : limited_) {
        const std::optional<uint64_t> limit = limit_of(files_, group);
        const std::optional<uint64_t> firm = firm_bytes(files_, group);
        if (!limit || !firm) {
            continue;
        }
        const uint64_t taken = *firm + margin_of(*limit);
        const uint64_t bytes = *limit > taken ? *limit - taken : 0;
        if (bytes < least.bytes) {
            least = Room{static_cast<std::size_t>(bytes), *limit, limit_file(group)};
        }
    }
    return least;
}

bool Ceiling::begin(std::size_t bytes) {
    if (limited_.empty()) {
        return true;
    }
    UnderWay &all = UnderWay::of_this_process();
    std::unique_lock<std::mutex> lock(all.mutex);
    for (;;) {
        if (refusal()) {
            return false;
        }
        const Room now = room();
        if (now.bytes >= bytes && now.bytes - bytes >= all.bytes) {
            all.bytes += bytes;
            return true;
        }
        if (all.bytes == 0) {
            const std::lock_guard<std::mutex> own(mutex_);
            refusal_ = now;
            return false;
        }
        all.ended.wait(lock);
    }
}

void Ceiling::end(std::size_t bytes) {
    if (limited_.empty()) {
        return;
    }
    UnderWay &all = UnderWay::of_this_process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.bytes -= std::min(bytes, all.bytes); // in a child nothing is under way that began in the parent
    all.ended.notify_all();
}

std::optional<Ceiling::Room> Ceiling::refusal() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return refusal_;
}

// Half of the least margin may go unseen.
bool is_due(std::size_t bytes) {
    static std::atomic<std::size_t> unseen{0};
    if (bytes < mib / 2 && unseen.fetch_add(bytes, std::memory_order_relaxed) + bytes < mib / 2) {
        return false;
    }
    unseen.store(0, std::memory_order_relaxed);
    return true;
}

std::optional<uint64_t> huge_page_room(FilePort &files, std::size_t page_bytes, std::string *file) {
    const std::string size =
        page_bytes >= uint64_t{1} << 30 ? format("%zuGB", page_bytes >> 30U) : format("%zuMB", page_bytes >> 20U);
    std::optional<uint64_t> least;
    for (const ControlGroup &group : control_groups(files, "hugetlb")) {
        const std::string stem = group.folder + "/hugetlb." + size + ".";
        const std::string path = stem + (group.version_2 ? "max" : "limit_in_bytes");
        const std::optional<uint64_t> limit = number_in(files, path);
        const std::optional<uint64_t> used = number_in(files, stem + (group.version_2 ? "current" : "usage_in_bytes"));
        if (!limit || !used || *limit >= no_limit) {
            continue;
        }
        const uint64_t pages = *limit > *used ? (*limit - *used) / page_bytes : 0;
        if (!least || pages < *least) {
            least = pages;
            *file = path;
        }
    }
    return least;
}

} // namespace nearpool
