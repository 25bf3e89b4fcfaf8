// SPDX-License-Identifier: Apache-2.0
#include "topology/devices.hpp"

#include "topology/gpu.hpp"
#include "topology/pci.hpp"
#include "topology/reader.hpp"
#include "topology/source.hpp"
#include "topology/sysfs.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace nearpool {
namespace {

constexpr std::string_view software = "virtual/";                   // devices without hardware
constexpr std::string_view shared_nvme = "virtual/nvme-subsystem/"; // NVMe that several controllers may lead to

// Folders by PCI address in which NVIDIA's kernel module shows its GPUs, without anybody opening the driver.
const std::string nvidia_gpus = "/proc/driver/nvidia/gpus";

bool begins(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// Whether a name is the prefix and a number, and maybe more: "nvme0n1".
bool begins_numbered(std::string_view text, std::string_view prefix) {
    return begins(text, prefix) && text.size() > prefix.size() && text[prefix.size()] >= '0' &&
           text[prefix.size()] <= '9';
}

// The PCI device that a device hangs on. Empty: none.
std::string pci_above(const std::string &place) {
    const std::vector<PciAddress> path = pci_devices_of(place);
    return path.empty() ? std::string() : path.back().text();
}

uint32_t hexadecimal(const std::string &text) { // "0x030200\n"; 0: it is none
    uint32_t value = 0;
    if (begins(text, "0x")) {
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    }
    return value;
}

class DeviceReader {
public:
    DeviceReader(const Topology &topology, FilePort &files, const std::string &root)
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
            if (is_gpu(identity(folder, address))) {
                devices_.push_back({NEAR_DEVICE_GPU, gpu_name(folder, address), address, {}, pci_node(address)});
            }
        }
    }

    uint32_t number(const std::string &path) { return hexadecimal(Reader(files_, root_).text(path).value_or("")); }

    PciIdentity identity(const std::string &folder, const std::string &address) {
        std::string driver;
        files_.read_link(root_ + folder + "/driver", &driver);
        driver = driver.substr(driver.rfind('/') + 1);
        std::vector<std::string> facts; // where its driver shows a GPU of NVIDIA's
        if (driver.empty() && files_.list(root_ + nvidia_gpus + "/" + address, &facts) == 0) {
            driver = "nvidia";
        }
        return {number(folder + "/class") >> 8U, number(folder + "/vendor"), number(folder + "/device"), driver};
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
            const int32_t its_kind = kind_by_name(kind, name);
            const std::string place = place_of(folder, name);
            if (begins(place, shared_nvme)) {
                add_shared_nvme(name, place);
            } else if (its_kind != 0 && !place.empty() && !begins(place, software)) {
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
        NodeAnswer all;
        for (const std::string &entry : list(subsystem)) {
            const std::string address = pci_above(place_of(subsystem, entry));
            if (!address.empty()) {
                addresses.push_back(address);
                all = addresses.size() == 1 ? pci_node(address) : near_both(all, pci_node(address));
            }
        }
        if (addresses.empty()) { // over a network
            return;
        }
        const std::string only = addresses.size() == 1 ? addresses[0] : std::string();
        devices_.push_back({NEAR_DEVICE_NVME, name, only, {}, all});
    }

    // Of what is reached over two devices that are not next to the same node, the node is unknown.
    static NodeAnswer near_both(const NodeAnswer &one, const NodeAnswer &other) {
        const NumberSet nodes = one.nodes.unite(other.nodes);
        return one.node == other.node ? NodeAnswer{one.node, one.source, nodes}
                                      : NodeAnswer{NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, nodes};
    }

    // A failure of hwloc leaves the node unknown: the device is there all the same.
    NodeAnswer pci_node(const std::string &address) {
        const Result<NodeAnswer> said = topology_.pci_node(address);
        return said ? said.value() : only_node(topology_);
    }

    // Of a device on no PCI bus: what the kernel says of it, or else of what it hangs on.
    NodeAnswer node_above(std::string place) {
        while (!place.empty()) {
            NodeAnswer said = kernel_node(topology_, files_, root_ + "/sys/devices/" + place, NEAR_NODE_SOURCE_SYSFS);
            if (!said.nodes.empty()) {
                return said;
            }
            const std::size_t cut = place.rfind('/');
            place.resize(cut == std::string::npos ? 0 : cut);
        }
        return only_node(topology_);
    }

    const Topology &topology_;
    FilePort &files_;
    const std::string &root_;
    std::vector<IoDevice> devices_;
};

} // namespace

int32_t kind_by_name(int32_t kind, const std::string &name) {
    if (kind == NEAR_DEVICE_INFINIBAND) {
        return begins(name, "scif") ? 0 : kind;
    }
    if (kind != NEAR_DEVICE_BLOCK) {
        return kind;
    }
    if (begins_numbered(name, "mem") || begins_numbered(name, "dax")) {
        return 0;
    }
    return begins_numbered(name, "nvme") ? NEAR_DEVICE_NVME : NEAR_DEVICE_BLOCK;
}

std::vector<IoDevice> sysfs_devices(const Topology &topology, FilePort &files, const std::string &root) {
    return DeviceReader(topology, files, root).read();
}

// "Node:      255" and more; "-1" where the GPU's memory is no node.
std::vector<GpuMemory> sysfs_gpu_memory(const Topology &topology, FilePort &files, const std::string &root) {
    std::vector<std::string> names;
    files.list(root + nvidia_gpus, &names);
    std::vector<GpuMemory> found;
    for (const std::string &name : names) {
        const std::string text = Reader(files, root).text(path_of({nvidia_gpus, name, "numa_status"})).value_or("");
        const std::string said = proc_field(text, "Node").value_or("");
        const std::optional<PciAddress> address = parse_pci(name);
        uint32_t node = 0;
        const bool number = std::from_chars(said.data(), said.data() + said.size(), node).ec == std::errc();
        if (number && address && topology.node(node) != nullptr) {
            found.push_back({address->text(), node});
        }
    }
    return found;
}

std::vector<GpuMemory> Topology::gpu_memory() const {
    if (source_->files() != nullptr) {
        return sysfs_gpu_memory(*this, *source_->files(), source_->root());
    }
    const Result<hwloc_topology_t> with_devices = source_->with_devices();
    return with_devices ? hwloc_gpu_memory(*this, with_devices.value()) : std::vector<GpuMemory>();
}

Result<std::vector<IoDevice>> Topology::devices() const {
    std::vector<IoDevice> found;
    if (source_->files() != nullptr) {
        found = sysfs_devices(*this, *source_->files(), source_->root());
    } else {
        Result<hwloc_topology_t> with_devices = source_->with_devices();
        if (!with_devices) {
            return with_devices.error();
        }
        found = hwloc_devices(*this, with_devices.value());
    }
    std::map<std::string, uint32_t> memory_nodes;
    for (const GpuMemory &memory : gpu_memory()) {
        memory_nodes[memory.pci_address] = memory.node;
    }
    for (IoDevice &device : found) {
        const auto of_gpu = device.kind == NEAR_DEVICE_GPU ? memory_nodes.find(device.pci_address) : memory_nodes.end();
        if (of_gpu != memory_nodes.end()) {
            device.memory_node = of_gpu->second;
        }
    }
    return found;
}

} // namespace nearpool
