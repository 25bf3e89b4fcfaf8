// SPDX-License-Identifier: Apache-2.0
#include "machine/quota.hpp"

#include "sys/control_groups.hpp"

#include <algorithm>
#include <sstream>
#include <string>

namespace nearpool {
namespace {

constexpr uint64_t thousand = 1000;

std::optional<uint64_t> thousandths(int64_t quota, int64_t period) {
    if (quota <= 0 || period <= 0) {
        return std::nullopt;
    }
    return std::max<uint64_t>(1, static_cast<uint64_t>(quota) * thousand / static_cast<uint64_t>(period));
}

std::optional<int64_t> number_of(FilePort &files, const std::string &path) {
    std::string text;
    int64_t number = 0;
    if (files.read(path, &text) != 0 || !(std::istringstream(text) >> number)) {
        return std::nullopt;
    }
    return number;
}

std::optional<uint64_t> quota_of(FilePort &files, const ControlGroup &group) {
    if (!group.version_2) {
        return thousandths(number_of(files, group.folder + "/cpu.cfs_quota_us").value_or(0),
                           number_of(files, group.folder + "/cpu.cfs_period_us").value_or(0));
    }
    std::string text;
    int64_t quota = 0;
    int64_t period = 0;
    if (files.read(group.folder + "/cpu.max", &text) != 0 || !(std::istringstream(text) >> quota >> period)) {
        return std::nullopt; // "max 100000" is no number: no quota
    }
    return thousandths(quota, period);
}

} // namespace

std::optional<uint64_t> cpu_quota_millis(FilePort &files) {
    std::optional<uint64_t> least;
    for (const ControlGroup &group : control_groups(files, "cpu")) {
        const std::optional<uint64_t> quota = quota_of(files, group);
        least = quota && least ? std::min(*quota, *least) : (quota ? quota : least);
    }
    return least;
}

} // namespace nearpool
