// SPDX-License-Identifier: Apache-2.0
#include "vmm.hpp"

#include <algorithm>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fakes::cuda {

namespace {

constexpr std::size_t label_bytes = 4096;
constexpr int bind_policy = 2; // MPOL_BIND
constexpr uint64_t label_mark = 0x66616b6563756461;

struct Label {
    uint64_t mark;
    CUmemAllocationProp properties;
};

bool has(const std::vector<int> &nodes, int node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// Whether this machine has a node, whatever the configuration says.
bool is_real(int node) {
    const std::string path = "/sys/devices/system/node/node" + std::to_string(node);
    return access(path.c_str(), F_OK) == 0;
}

bool is_node(int node) {
    const std::vector<int> &configured = driver().config.host_nodes;
    return configured.empty() ? is_real(node) || node == 0 : has(configured, node);
}

bool is_only_node(int node) {
    std::ifstream file("/sys/devices/system/node/online");
    std::string online;
    return std::getline(file, online) && online == std::to_string(node);
}

/// Free memory of a node; everything where the kernel does not say.
uint64_t free_bytes(int node) {
    if (has(driver().config.full_nodes, node)) {
        return 0;
    }
    std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t at = line.find("MemFree:");
        if (at != std::string::npos) {
            return std::stoull(line.substr(at + 8)) * 1024;
        }
    }
    return UINT64_MAX;
}

/// Where a sandbox forbids it, memory is on the only node of a machine all the same.
bool bind_to(const Allocation &allocation, int node) {
    constexpr unsigned word_bits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> mask(static_cast<std::size_t>(node) / word_bits + 1);
    mask.back() = 1UL << static_cast<unsigned>(node) % word_bits;
    return syscall(SYS_mbind, allocation.backing, allocation.bytes, bind_policy, mask.data(),
                   mask.size() * word_bits + 1, 0) == 0 ||
           is_only_node(node);
}

CUresult populate_all(const Allocation &allocation) {
    const Populate result = populate(allocation.backing, allocation.bytes, false);
    return result == Populate::done ? cuda_success : cuda_error_out_of_memory;
}

/// As the driver does it: on this node or not at all. The kernel would end the program where the node has no room.
CUresult place_on_node(const Allocation &allocation, int node) {
    if (free_bytes(node) < allocation.bytes) {
        return cuda_error_out_of_memory;
    }
    // A node of the configuration that this machine does not have is memory anywhere.
    if (is_real(node) && !bind_to(allocation, node)) {
        return cuda_error_operating_system;
    }
    return populate_all(allocation);
}

bool open_file(Allocation &allocation) {
    const std::size_t bytes = allocation.bytes + label_bytes;
    allocation.file = memfd_create("fake driver", MFD_CLOEXEC);
    if (allocation.file < 0 || ftruncate(allocation.file, static_cast<off_t>(bytes)) != 0) {
        return false;
    }
    const Label label{label_mark, allocation.properties};
    const auto at = static_cast<off_t>(allocation.bytes);
    if (pwrite(allocation.file, &label, sizeof label, at) != static_cast<ssize_t>(sizeof label)) {
        return false;
    }
    return true;
}

bool map_backing(Allocation &allocation) {
    void *mapped = mmap(nullptr, allocation.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, allocation.file, 0);
    allocation.backing = mapped == MAP_FAILED ? nullptr : static_cast<char *>(mapped);
    return allocation.backing != nullptr;
}

bool charge(Allocation &allocation) {
    Device &device = *driver().devices[static_cast<std::size_t>(allocation.properties.location.id)];
    if (device.used.fetch_add(allocation.bytes) + allocation.bytes > device.config.memory_bytes) {
        device.used.fetch_sub(allocation.bytes);
        return false;
    }
    allocation.charged = true;
    return true;
}

} // namespace

Allocation::~Allocation() {
    pinned = nullptr;
    if (backing != nullptr) {
        munmap(backing, bytes);
    }
    if (file >= 0) {
        close(file);
    }
    if (charged) {
        driver().devices[static_cast<std::size_t>(properties.location.id)]->used.fetch_sub(bytes);
    }
}

bool is_host(const CUmemLocation &location) {
    return location.type == location_host || location.type == location_host_numa;
}

CUresult check_location(const CUmemLocation &location) {
    if (location.type == location_device) {
        const auto count = static_cast<int>(driver().devices.size());
        return location.id >= 0 && location.id < count ? cuda_success : cuda_error_invalid_device;
    }
    // Memory of the host came with 12.2; the node of the calling thread is no place for it.
    const bool known = is_host(location) && driver().version.load() >= 12020;
    return known && (location.type == location_host || is_node(location.id)) ? cuda_success : cuda_error_invalid_value;
}

CUresult make_allocation(std::size_t bytes, const CUmemAllocationProp &properties, std::shared_ptr<Allocation> *made) {
    auto allocation = std::make_shared<Allocation>();
    allocation->bytes = bytes;
    allocation->properties = properties;
    const int where = properties.location.type;
    const bool on_device = where == location_device;
    if (where == location_host_numa && !driver().config.host_numa) {
        return cuda_error_not_supported;
    }
    if (on_device && !charge(*allocation)) {
        return cuda_error_out_of_memory;
    }
    if (!open_file(*allocation) || !map_backing(*allocation)) {
        return cuda_error_out_of_memory;
    }
    if (!on_device) {
        const CUresult placed = where == location_host_numa ? place_on_node(*allocation, properties.location.id)
                                                            : populate_all(*allocation);
        if (placed != cuda_success) {
            return placed;
        }
        allocation->pinned = Pinned::pin(allocation->backing, bytes);
    }
    *made = std::move(allocation);
    return cuda_success;
}

CUresult adopt_allocation(int file, std::shared_ptr<Allocation> *adopted) {
    struct stat status {};
    Label label{};
    if (fstat(file, &status) != 0 || status.st_size <= static_cast<off_t>(label_bytes)) {
        return cuda_error_invalid_value;
    }
    auto allocation = std::make_shared<Allocation>();
    allocation->bytes = static_cast<std::size_t>(status.st_size) - label_bytes;
    const ssize_t got = pread(file, &label, sizeof label, static_cast<off_t>(allocation->bytes));
    if (got != static_cast<ssize_t>(sizeof label) || label.mark != label_mark) {
        return cuda_error_invalid_value;
    }
    allocation->properties = label.properties;
    allocation->file = dup(file);
    if (!map_backing(*allocation)) {
        return cuda_error_out_of_memory;
    }
    *adopted = std::move(allocation);
    return cuda_success;
}

} // namespace fakes::cuda
