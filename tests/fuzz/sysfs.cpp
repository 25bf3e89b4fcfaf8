// SPDX-License-Identifier: Apache-2.0
// A tree of files in the place of /sys and /proc. An input is written in lines:
//     /sys/devices/system/cpu/online               a path: what follows, up to the next path, is the file's text
//     0-3
//     /sys/block/sda/device -> ../../../0:0:0:0    a symbolic link
#include "fuzz/harness.hpp"
#include "fuzz/machine.hpp"

#include "fakes/machines/sysfs_tree.hpp"

namespace nearpool::fuzz {
namespace {

fakes::SysfsTree tree_of(std::string_view text) {
    fakes::SysfsTree tree{std::vector<fakes::SysfsNodeFacts>()};
    for (const char *file :
         {"/sys/devices/system/node/online", "/sys/devices/system/cpu/online", "/proc/meminfo", "/proc/self/status"}) {
        tree.remove(file);
    }
    std::string path;
    std::string content;
    while (!text.empty()) {
        const std::string line(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t arrow = line.find(" -> ");
        if (line.empty() || line[0] != '/') {
            content += line + "\n";
            tree.set(path, content);
        } else if (arrow != std::string::npos) {
            tree.link(line.substr(0, arrow), line.substr(arrow + 4));
        } else {
            path = line;
            content.clear();
            tree.set(path, content);
        }
    }
    return tree;
}

} // namespace

void sysfs(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    fakes::FakeFiles files;
    tree_of(input.rest()).fill(files);
    files.hide("/");
    const auto topology = Topology::from_sysfs(ports_with(files), "");
    if (topology) {
        examine(*topology.value(), files);
    } else {
        require(!topology.error().message.empty(), "an error has a sentence");
    }
}

} // namespace nearpool::fuzz
