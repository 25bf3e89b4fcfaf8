// SPDX-License-Identifier: Apache-2.0
#include "machine/isolation.hpp"

#include "sys/control_groups.hpp"

namespace nearpool {
namespace {

NumberSet list_in(FilePort &files, const std::string &path) {
    std::string text;
    return files.read(path, &text) == 0 ? NumberSet::parse(text).value_or(NumberSet()) : NumberSet();
}

} // namespace

NumberSet isolated_cpus(FilePort &files) {
    NumberSet cpus = list_in(files, "/sys/devices/system/cpu/isolated");
    for (const ControlGroup &group : control_groups(files, "cpuset")) {
        std::string partition;
        if (!group.version_2) {
            continue;
        }
        cpus = cpus.unite(list_in(files, group.folder + "/cpuset.cpus.isolated")); // of the root
        if (files.read(group.folder + "/cpuset.cpus.partition", &partition) == 0 && partition == "isolated\n") {
            cpus = cpus.unite(list_in(files, group.folder + "/cpuset.cpus.effective"));
        }
    }
    return cpus;
}

} // namespace nearpool
