// SPDX-License-Identifier: Apache-2.0
#include "topology/devices.hpp"

#include "topology/pci.hpp"
#include "topology/source.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace nearpool {
namespace {

constexpr std::string_view software = "virtual/";                   // devices without hardware
constexpr std::string_view shared_nvme = "virtual/nvme-subsystem/"; // NVMe that several controllers may lead to

bool begins(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// A link of /sys/class leads to the device's place under /sys/devices: "pci0000:00/0000:00:03.0/virtio2/net/eth0".
std::string place_in(const std::string &link) {
    constexpr std::string_view root = "/devices/";
    const std::size_t found = link.find(root);
    return found == std::string::npos ? std::string() : link.substr(found + root.size());
}

// The PCI device nearest to the end of a place: what the device hangs on. Empty: none.
std::string pci_above(const std::string &place) {
    std::string found;
    for (std::size_t begin = 0; begin < place.size();) {
        const std::size_t end = std::min(place.find('/', begin), place.size());
        if (const auto address = parse_pci(place.substr(begin, end - begin)); address) {
            found = address->text();
        }
        begin = end + 1;
    }
    return found;
}

uint32_t hexadecimal(const std::string &text) { // "0x030200\n"; 0: it is none
    uint32_t value = 0;
    if (begins(text, "0x")) {
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    }
    return value;
}

class Reader {
public:
    Reader(const Topology &topology, FilePort &files, const std::string &root)
        : topology_(topology), files_(files), root_(root) {}

    std::vector<IoDevice> read() {
        read_gpus();
        read_class("/sys/class/net", NEAR_DEVICE_NETWORK);
        read_class("/sys/class/infiniband", NEAR_DEVICE_INFINIBAND);
        read_class("/sys/block", NEAR_DEVICE_BLOCK);
        return std::move(devices_);
    }

private:
    std::vector<std::string> list(const std::string &folder) {
        std::vector<std::string> names;
        files_.list(root_ + folder, &names); // what is not there is empty
        return names;
    }

    std::string place_of(const std::string &folder, const std::string &name) {
        std::string target; // stays empty for what is no link, and no device: bonding_masters
        files_.read_link(root_ + folder + "/" + name, &target);
        return place_in(target);
    }

    void read_gpus() {
        for (const std::string &address : list("/sys/bus/pci/devices")) {
            const std::string folder = "/sys/bus/pci/devices/" + address;
            std::string text;
            files_.read(root_ + folder + "/class", &text);
            if (is_gpu_class(hexadecimal(text) >> 8U)) {
                devices_.push_back({NEAR_DEVICE_GPU, gpu_name(folder, address), address, {}, pci_node(address)});
            }
        }
    }

    std::string gpu_name(const std::string &folder, const std::string &address) {
        for (const std::string &name : list(folder + "/drm")) {
            if (begins(name, "card")) {
                return name;
            }
        }
        return address;
    }

    void read_class(const std::string &folder, int32_t kind) {
        for (const std::string &name : list(folder)) {
            const int32_t its_kind = kind == NEAR_DEVICE_BLOCK ? block_kind(name) : kind;
            const std::string place = place_of(folder, name);
            if (begins(place, shared_nvme)) {
                add_shared_nvme(name, place);
            } else if (!place.empty() && !begins(place, software)) {
                const std::string address = pci_above(place);
                devices_.push_back(
                    {its_kind, name, address, {}, address.empty() ? node_above(place) : pci_node(address)});
            }
        }
    }

    // The namespace is not under its controller then, but beside links to the controllers that lead to it.
    void add_shared_nvme(const std::string &name, const std::string &place) {
        const std::string subsystem = "/sys/devices/" + place.substr(0, place.rfind('/'));
        std::vector<std::string> addresses;
        std::vector<NodeAnswer> nodes;
        for (const std::string &entry : list(subsystem)) {
            const std::string address = pci_above(place_of(subsystem, entry));
            if (!address.empty()) {
                addresses.push_back(address);
                nodes.push_back(pci_node(address));
            }
        }
        if (addresses.empty()) { // over a network
            return;
        }
        const bool one_node = std::all_of(nodes.begin(), nodes.end(),
                                          [&](const NodeAnswer &other) { return other.node == nodes[0].node; });
        devices_.push_back({NEAR_DEVICE_NVME,
                            name,
                            addresses.size() == 1 ? addresses[0] : std::string(),
                            {},
                            one_node ? nodes[0] : NodeAnswer{}});
    }

    // A failure of hwloc leaves the node unknown: the device is there all the same.
    NodeAnswer pci_node(const std::string &address) {
        const Result<NodeAnswer> said = topology_.pci_node(address);
        return said ? said.value() : only_node();
    }

    // Of a device on no PCI bus: what the kernel says of it, or else of what it hangs on.
    NodeAnswer node_above(std::string place) {
        while (!place.empty()) {
            const NodeAnswer said = kernel_node(topology_, files_, root_ + "/sys/devices/" + place);
            if (said.source != NEAR_NODE_SOURCE_NONE) {
                return said;
            }
            const std::size_t cut = place.rfind('/');
            place.resize(cut == std::string::npos ? 0 : cut);
        }
        return only_node();
    }

    NodeAnswer only_node() const {
        const std::vector<Node> &nodes = topology_.nodes();
        return nodes.size() == 1 ? NodeAnswer{nodes[0].number, NEAR_NODE_SOURCE_ONE_NODE} : NodeAnswer{};
    }

    const Topology &topology_;
    FilePort &files_;
    const std::string &root_;
    std::vector<IoDevice> devices_;
};

} // namespace

bool is_gpu_class(uint32_t pci_class) {
    return pci_class == 0x0300 || pci_class == 0x0302;
}

int32_t block_kind(const std::string &name) {
    const bool nvme = begins(name, "nvme") && name.size() > 4 && name[4] >= '0' && name[4] <= '9';
    return nvme ? NEAR_DEVICE_NVME : NEAR_DEVICE_BLOCK;
}

std::vector<IoDevice> sysfs_devices(const Topology &topology, FilePort &files, const std::string &root) {
    return Reader(topology, files, root).read();
}

Result<std::vector<IoDevice>> Topology::devices() const {
    if (source_->files() != nullptr) {
        return sysfs_devices(*this, *source_->files(), source_->root());
    }
    Result<hwloc_topology_t> with_devices = source_->with_devices();
    return with_devices ? hwloc_devices(*this, with_devices.value())
                        : Result<std::vector<IoDevice>>(with_devices.error());
}

} // namespace nearpool
