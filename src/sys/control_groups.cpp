// SPDX-License-Identifier: Apache-2.0
#include "sys/control_groups.hpp"

#include <algorithm>
#include <optional>
#include <sstream>

namespace nearpool {
namespace {

// A mounted hierarchy of control groups, and where in it this process is.
struct Hierarchy {
    bool version_2 = false;
    std::string mount; // folder
    std::string group; // below it: "" or "/a/b"
};

std::vector<std::string> words_of(const std::string &line, char separator) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; std::getline(in, word, separator);) {
        words.push_back(word);
    }
    return words;
}

bool has(const std::string &list, const std::string &controller) {
    const std::vector<std::string> names = words_of(list, ',');
    return std::find(names.begin(), names.end(), controller) != names.end();
}

// The groups of /proc/self/cgroup that can have the controller: "0::/a/b" (version 2), "4:cpu,cpuacct:/a" (version 1).
struct OwnGroups {
    std::optional<std::string> version_1;
    std::optional<std::string> version_2;
};

OwnGroups own_groups(const std::string &text, const std::string &controller) {
    OwnGroups groups;
    for (const std::string &line : words_of(text, '\n')) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (controllers.empty()) {
            groups.version_2 = line.substr(second + 1);
        } else if (has(controllers, controller)) {
            groups.version_1 = line.substr(second + 1);
        }
    }
    return groups;
}

// A container may see only a part of the hierarchy: the mount's root is then a prefix of the group, or unrelated to it,
// and what is mounted is the container's own group.
std::string below(const std::string &root, const std::string &group) {
    const std::string prefix = root == "/" ? "" : root;
    const bool inside =
        group.compare(0, prefix.size(), prefix) == 0 && (group.size() == prefix.size() || group[prefix.size()] == '/');
    const std::string rest = inside ? group.substr(prefix.size()) : "";
    return rest == "/" ? "" : rest;
}

// /proc/self/mountinfo: id, parent, device, root, folder, options, optional fields, "-", type, source, super options
std::vector<Hierarchy> hierarchies(const std::string &mounts, const OwnGroups &groups, const std::string &controller) {
    std::vector<Hierarchy> result;
    for (const std::string &line : words_of(mounts, '\n')) {
        const std::vector<std::string> words = words_of(line, ' ');
        const auto dash = std::find(words.begin(), words.end(), "-");
        if (words.size() < 5 || words.end() - dash < 4) {
            continue;
        }
        const std::string &type = dash[1];
        if (type == "cgroup2" && groups.version_2) {
            result.push_back({true, words[4], below(words[3], *groups.version_2)});
        } else if (type == "cgroup" && groups.version_1 && has(dash[3], controller)) {
            result.push_back({false, words[4], below(words[3], *groups.version_1)});
        }
    }
    return result;
}

} // namespace

std::vector<ControlGroup> control_groups(FilePort &files, const char *controller) {
    std::string groups;
    std::string mounts;
    if (files.read("/proc/self/cgroup", &groups) != 0 || files.read("/proc/self/mountinfo", &mounts) != 0) {
        return {};
    }
    std::vector<ControlGroup> result;
    for (const Hierarchy &hierarchy : hierarchies(mounts, own_groups(groups, controller), controller)) {
        std::string group = hierarchy.group;
        for (;;) {
            result.push_back({hierarchy.version_2, hierarchy.mount + group});
            if (group.empty()) {
                break;
            }
            group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
        }
    }
    return result;
}

} // namespace nearpool
