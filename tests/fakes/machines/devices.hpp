// SPDX-License-Identifier: Apache-2.0
// Devices of machines that nobody here has, as /sys and hwloc's XML show them.
#pragma once

#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/sysfs_tree.hpp"

#include <string>

namespace nearpool::fakes {

// A PCI device; `node` as the kernel says it, -1 for unknown.
inline void add_pci(SysfsTree &tree, const std::string &address, const std::string &pci_class, int node) {
    const std::string folder = "/sys/bus/pci/devices/" + address;
    tree.set(folder + "/class", pci_class + "\n");
    tree.set(folder + "/numa_node", std::to_string(node) + "\n");
}

// Who made it, as /sys writes it: "0x10de"; and the kernel's driver, where it has one.
inline void add_maker(SysfsTree &tree, const std::string &address, const std::string &vendor, const std::string &device,
                      const std::string &driver = "") {
    const std::string folder = "/sys/bus/pci/devices/" + address;
    tree.set(folder + "/vendor", vendor + "\n");
    tree.set(folder + "/device", device + "\n");
    if (!driver.empty()) {
        tree.link(folder + "/driver", "../../../bus/pci/drivers/" + driver);
    }
}

// A GPU whose memory is a node, as NVIDIA's kernel module says it.
inline void add_gpu_memory(SysfsTree &tree, const std::string &address, int node) {
    tree.set("/proc/driver/nvidia/gpus/" + address + "/numa_status",
             "Node:      " + std::to_string(node) +
                 "\nStatus:    online\nAddress:   40000000000\nSize:      3f0000000\n");
}

// What a class of /sys shows: a link to the device's place under /sys/devices.
inline void add_link(SysfsTree &tree, const std::string &path, const std::string &place) {
    tree.link(path, (path.compare(0, 11, "/sys/class/") == 0 ? "../../devices/" : "../devices/") + place);
}

// A device of each kind, and what is near to them: nodes 0 and 8 with CPUs, node 2 without, whose nearest is 8.
inline SysfsTree machine_with_devices() {
    SysfsTree tree({{0, {0, 1}, 1024 * 1024, {10, 24, 21}, 0},
                    {2, {}, 1024 * 1024, {24, 10, 14}, 0},
                    {8, {2, 3}, 1024 * 1024, {21, 14, 10}, 0}});
    add_pci(tree, "0000:03:00.0", "0x030000", -1); // a card with a screen
    add_maker(tree, "0000:03:00.0", "0x10de", "0x1b06");
    add_pci(tree, "0000:02:00.0", "0x030000", 0); // the console's, which is no GPU
    add_maker(tree, "0000:02:00.0", "0x1a03", "0x2000", "ast");
    add_pci(tree, "0000:3b:00.0", "0x030200", 8); // a GPU of a data centre
    add_pci(tree, "0000:3c:00.0", "0x030200", 2);
    tree.set("/sys/bus/pci/devices/0000:3c:00.0/drm/card1/dev", "226:1\n");
    tree.set("/sys/bus/pci/devices/0000:3c:00.0/drm/renderD128/dev", "226:128\n");
    add_pci(tree, "0000:5e:00.0", "0x020000", 8); // Ethernet and RDMA
    add_link(tree, "/sys/class/net/ens10", "pci0000:5d/0000:5d:02.0/0000:5e:00.0/net/ens10");
    add_link(tree, "/sys/class/net/ens9", "pci0000:5d/0000:5d:02.0/0000:5e:00.0/net/ens9");
    add_link(tree, "/sys/class/infiniband/mlx5_0", "pci0000:5d/0000:5d:02.0/0000:5e:00.0/infiniband/mlx5_0");
    add_pci(tree, "0000:00:03.0", "0x020000", -1); // the PCI device is above the virtio device
    add_link(tree, "/sys/class/net/eth0", "pci0000:00/0000:00:03.0/virtio2/net/eth0");
    add_pci(tree, "10000:e1:00.0", "0x010802", 0);
    add_link(tree, "/sys/block/nvme0n1", "pci0000:d0/0000:d0:05.5/pci10000:e0/10000:e1:00.0/nvme/nvme0/nvme0n1");
    add_pci(tree, "0000:00:17.0", "0x010601", 0);
    add_link(tree, "/sys/block/sda", "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda");
    add_link(tree, "/sys/class/net/lo", "virtual/net/lo");
    add_link(tree, "/sys/class/net/bond0", "virtual/net/bond0");
    tree.set("/sys/class/net/bonding_masters", "bond0\n");
    add_link(tree, "/sys/block/loop0", "virtual/block/loop0");
    return tree;
}

// hwloc's XML of four-nodes with devices as lstopo records them: a GPU and a network interface at 0000:51:00.0, which
// is next to node 2, and a disk at 0000:00:1f.2, which is next to no node more than to the others.
inline std::string xml_with_devices() {
    std::string text = four_nodes_xml;
    const auto put = [&](const std::string &old, const std::string &by) {
        text.replace(text.find(old), old.size(), by);
    };
    put("pci_type=\"00ff [1af4:1044] [1af4:1100] 01\" pci_link_speed=\"0.250000\">",
        "pci_type=\"0302 [10de:2335] [10de:18be] a1\" pci_link_speed=\"0.250000\">"
        "<object type=\"OSDev\" gp_index=\"60\" name=\"card0\" osdev_type=\"1\"/>"
        "<object type=\"OSDev\" gp_index=\"61\" name=\"nvml0\" subtype=\"NVML\" osdev_type=\"1\">"
        "<info name=\"NVIDIAUUID\" value=\"GPU-00112233-4455-6677-8899-aabbccddeeff\"/></object>"
        "<object type=\"OSDev\" gp_index=\"62\" name=\"eth0\" osdev_type=\"2\"/>"
        "<object type=\"OSDev\" gp_index=\"63\" name=\"mlx5_0\" osdev_type=\"3\"/>");
    put("[1af4:1100] 02\" pci_link_speed=\"0.000000\"/>",
        "[1af4:1100] 02\" pci_link_speed=\"0.000000\">"
        "<object type=\"OSDev\" gp_index=\"64\" name=\"sda\" osdev_type=\"0\"/></object>");
    return text;
}

} // namespace nearpool::fakes
