// SPDX-License-Identifier: Apache-2.0
// What the fake driver pretends to be: read from JSON, the fields as in the structures below (README.md).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fakes::cuda {

struct PciAddress {
    uint32_t domain = 0;
    uint32_t bus = 0;
    uint32_t device = 0;
};

struct NvmlConfig {
    bool present = true;
    int utilization = 0;                // percent; -1: not supported
    int memory_affinity = -1;           // the node; -1: not supported
    int numa_node_id = -1;              // the GPU's own memory node; -1: not supported
    std::vector<unsigned> cpu_affinity; // CPUs; empty: not supported
};

struct DeviceConfig {
    std::string name = "Fake GPU";
    std::array<unsigned char, 16> uuid{};
    PciAddress pci;
    int domain_width = 4; // hexadecimal digits of the PCI domain in what cuDeviceGetPCIBusId writes
    int host_numa_id = -1;
    int numa_id = -1; // of its own memory; -1: that is no node
    uint64_t memory_bytes = uint64_t{16} << 30;
    int compute_capability_major = 9;
    int compute_capability_minor = 0;
    int compute_mode = 0;
    bool mig = false;
    std::array<unsigned char, 16> mig_uuid{};
    bool pageable_by_host_tables = false; // as on Grace: registering populates and does not lock
    bool host_register = true;            // false: memory of the host cannot be registered
    NvmlConfig nvml;
};

struct PeerConfig {
    bool access = false;
    int rank = 0;
    bool atomics = false;
};

struct FailureConfig {
    std::string symbol; // "*": any
    uint64_t nth = 1;
    int error = 0;
    bool null = false;   // in place of an error: success, without a result
    bool always = false; // from the nth call on
};

struct Config {
    int version = 0;             // 0: of the variant, 12060 for the full one
    std::string mode = "normal"; // normal, stub, no-device, teardown
    std::vector<DeviceConfig> devices;
    std::vector<std::vector<PeerConfig>> peers; // [from][to]
    std::vector<int> host_nodes;                // that HOST_NUMA may name; empty: those of this machine
    std::vector<int> full_nodes;                // of these: without room for HOST_NUMA
    bool host_numa = true;                      // false: memory cannot be made on a node of the host
    uint64_t context_bytes = uint64_t{300} << 20;
    uint64_t stream_limit = 1 << 16;
    int priority_least = 0;
    int priority_greatest = -5;
    std::map<std::string, uint64_t> latency_ns;
    uint64_t pin_ns_per_gib = 0;
    bool pin_lock = false; // one page-locking call at a time in the process, for as long as it takes
    std::vector<FailureConfig> fail;
    uint64_t host_pointer_offset = 0; // device pointers of host memory differ from the host's by so much
    uint64_t host_alloc_offset = 0;   // cuMemHostAlloc's memory begins so far into a page
    bool kernel611 = false;
    bool reset_refuses_active = false; // cuDevicePrimaryCtxReset of a retained context: 708
    std::string log;                   // "": none, "memory", "stderr", or a path
    bool leak_check = true;
};

/// The configuration in a text: JSON, or the path of a file with it; empty: the default. Ends the program on a mistake.
Config read_config(const std::string &text);

/// The text that the environment gives.
std::string environment_config();

std::string uuid_text(const std::array<unsigned char, 16> &uuid);

} // namespace fakes::cuda
