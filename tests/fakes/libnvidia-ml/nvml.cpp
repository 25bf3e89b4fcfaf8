// SPDX-License-Identifier: Apache-2.0
// A fake NVML. Its devices are those of the fake driver's configuration: the loaded driver's, or the environment's.
#include "cuda/nvml_types.hpp"
#include "fakes/libcuda/config.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <mutex>

#define FAKE_NVML_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace nearpool::cuda;
using fakes::cuda::Config;
using fakes::cuda::DeviceConfig;

constexpr nvmlReturn_t error_uninitialized = 1;
constexpr nvmlReturn_t error_invalid_argument = 2;
constexpr nvmlReturn_t error_not_found = 6;
constexpr nvmlReturn_t error_insufficient_size = 7;
constexpr nvmlReturn_t error_driver_not_loaded = 9;
constexpr nvmlReturn_t error_version_mismatch = 25;
constexpr unsigned memory_v2 = 2U << 24 | 40U; // the version and the size of the structure

struct PciInfo {
    char legacy_address[16];
    unsigned domain;
    unsigned bus;
    unsigned device;
    unsigned id;
    unsigned subsystem;
    char address[32];
};

struct MemoryV2 {
    unsigned version;
    unsigned long long total;
    unsigned long long reserved;
    unsigned long long free;
    unsigned long long used;
};

struct State {
    std::mutex mutex;
    unsigned references = 0;
    std::string text; // that the configuration was read from
    Config config = fakes::cuda::read_config({});
};

State &state() {
    static State &instance = *new State;
    return instance;
}

template <typename Function> Function *of_driver(const char *symbol) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    return driver == nullptr ? nullptr : reinterpret_cast<Function *>(dlsym(driver, symbol));
}

std::string config_text() {
    auto *of_loaded = of_driver<const char *()>("fakeCudaConfig");
    return of_loaded == nullptr ? fakes::cuda::environment_config() : std::string(of_loaded());
}

/// The devices as the driver is configured now: a test may have given it another configuration.
const std::vector<DeviceConfig> &devices_now() {
    const std::string text = config_text();
    if (text != state().text) {
        state().config = fakes::cuda::read_config(text);
        state().text = text;
    }
    return state().config.devices;
}

// A handle is the ordinal, counted from 1; a GPU that is cut in parts also has one for its part.
constexpr std::uintptr_t part_bit = 0x1000;

nvmlDevice_t handle_of(std::size_t ordinal, bool part = false) {
    return reinterpret_cast<nvmlDevice_t>((ordinal + 1) | (part ? part_bit : 0U));
}

bool is_part(nvmlDevice_t device) {
    return (reinterpret_cast<std::uintptr_t>(device) & part_bit) != 0;
}

std::size_t ordinal_of(nvmlDevice_t device) {
    return (reinterpret_cast<std::uintptr_t>(device) & ~part_bit) - 1;
}

/// Runs a body with a device that NVML knows.
template <typename Body> nvmlReturn_t with_device(nvmlDevice_t device, Body body) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    if (state().references == 0) {
        return error_uninitialized;
    }
    const auto &devices = devices_now();
    const std::size_t ordinal = ordinal_of(device);
    if (ordinal >= devices.size() || !devices[ordinal].nvml.present) {
        return error_invalid_argument;
    }
    return body(devices[ordinal]);
}

/// The first device of which something holds.
template <typename Test> nvmlReturn_t find_device(nvmlDevice_t *device, Test test) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    if (state().references == 0) {
        return error_uninitialized;
    }
    const auto &devices = devices_now();
    for (std::size_t i = 0; i < devices.size(); i++) {
        bool part = false;
        if (devices[i].nvml.present && test(devices[i], i, &part)) {
            *device = handle_of(i, part);
            return nvml_success;
        }
    }
    return error_not_found;
}

uint64_t used_bytes(std::size_t ordinal) {
    auto *of_loaded = of_driver<uint64_t(int)>("fakeCudaDeviceUsed");
    return of_loaded == nullptr ? 0 : of_loaded(static_cast<int>(ordinal));
}

nvmlReturn_t copy_text(const std::string &text, char *to, unsigned length) {
    if (to == nullptr) {
        return error_invalid_argument;
    }
    if (text.size() >= length) {
        return error_insufficient_size;
    }
    std::memcpy(to, text.c_str(), text.size() + 1);
    return nvml_success;
}

nvmlReturn_t set_bits(unsigned long *words, unsigned count, const std::vector<unsigned> &bits) {
    constexpr unsigned word_bits = 8 * sizeof(unsigned long);
    if (words == nullptr || count == 0) {
        return error_invalid_argument;
    }
    std::fill(words, words + count, 0UL);
    for (const unsigned bit : bits) {
        if (bit / word_bits >= count) {
            return error_insufficient_size;
        }
        words[bit / word_bits] |= 1UL << bit % word_bits;
    }
    return nvml_success;
}

nvmlReturn_t cpu_affinity(nvmlDevice_t device, unsigned count, unsigned long *words) {
    return with_device(device, [&](const DeviceConfig &config) {
        return config.nvml.cpu_affinity.empty() ? nvml_error_not_supported
                                                : set_bits(words, count, config.nvml.cpu_affinity);
    });
}

bool has_address(const DeviceConfig &config, const char *address) {
    unsigned domain = 0, bus = 0, device = 0;
    return std::sscanf(address, "%x:%x:%x", &domain, &bus, &device) == 3 && config.pci.domain == domain &&
           config.pci.bus == bus && config.pci.device == device;
}

void describe_pci(const DeviceConfig &config, PciInfo *pci) {
    *pci = {};
    pci->domain = config.pci.domain;
    pci->bus = config.pci.bus;
    pci->device = config.pci.device;
    pci->id = 0x233010de;
    std::snprintf(pci->legacy_address, sizeof pci->legacy_address, "%04X:%02X:%02X.0", config.pci.domain & 0xffff,
                  config.pci.bus & 0xff, config.pci.device & 0x1f);
    std::snprintf(pci->address, sizeof pci->address, "%08X:%02X:%02X.0", config.pci.domain, config.pci.bus,
                  config.pci.device);
}

} // namespace

FAKE_NVML_EXPORT nvmlReturn_t nvmlInit_v2() {
    if (fakes::cuda::read_config(config_text()).mode != "normal") {
        return error_driver_not_loaded;
    }
    const std::lock_guard<std::mutex> lock(state().mutex);
    state().references++;
    return nvml_success;
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned) {
    return nvmlInit_v2();
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlShutdown() {
    const std::lock_guard<std::mutex> lock(state().mutex);
    if (state().references == 0) {
        return error_uninitialized;
    }
    state().references--;
    return nvml_success;
}

FAKE_NVML_EXPORT const char *nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
    case nvml_success:
        return "Success";
    case error_uninitialized:
        return "Uninitialized";
    case error_invalid_argument:
        return "Invalid Argument";
    case nvml_error_not_supported:
        return "Not Supported";
    case error_not_found:
        return "Not Found";
    case error_insufficient_size:
        return "Insufficient Size";
    case error_driver_not_loaded:
        return "Driver Not Loaded";
    case error_version_mismatch:
        return "Argument Version Mismatch";
    default:
        return "Unknown Error";
    }
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    if (state().references == 0 || count == nullptr) {
        return count == nullptr ? error_invalid_argument : error_uninitialized;
    }
    const auto &devices = devices_now();
    *count = static_cast<unsigned>(
        std::count_if(devices.begin(), devices.end(), [](const DeviceConfig &config) { return config.nvml.present; }));
    return nvml_success;
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    if (device == nullptr) {
        return error_invalid_argument;
    }
    unsigned present = 0;
    const nvmlReturn_t result =
        find_device(device, [&](const DeviceConfig &, std::size_t, bool *) { return present++ == index; });
    return result == error_not_found ? error_invalid_argument : result;
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *address, nvmlDevice_t *device) {
    if (address == nullptr || device == nullptr) {
        return error_invalid_argument;
    }
    return find_device(device,
                       [&](const DeviceConfig &config, std::size_t, bool *) { return has_address(config, address); });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    if (uuid == nullptr || device == nullptr) {
        return error_invalid_argument;
    }
    return find_device(device, [&](const DeviceConfig &config, std::size_t, bool *part) {
        *part = config.mig && "MIG-" + fakes::cuda::uuid_text(config.mig_uuid) == uuid;
        return *part || "GPU-" + fakes::cuda::uuid_text(config.uuid) == uuid;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
    return with_device(device, [&](const DeviceConfig &config) { return copy_text(config.name, name, length); });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length) {
    return with_device(device, [&](const DeviceConfig &config) {
        const bool part = is_part(device);
        return copy_text((part ? "MIG-" : "GPU-") + fakes::cuda::uuid_text(part ? config.mig_uuid : config.uuid), uuid,
                         length);
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, PciInfo *pci) {
    return with_device(device, [&](const DeviceConfig &config) {
        if (pci == nullptr) {
            return error_invalid_argument;
        }
        describe_pci(config, pci);
        return nvml_success;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    return with_device(device, [&](const DeviceConfig &config) {
        if (memory == nullptr) {
            return error_invalid_argument;
        }
        const uint64_t used = std::min(used_bytes(ordinal_of(device)), config.memory_bytes);
        *memory = {config.memory_bytes, config.memory_bytes - used, used};
        return nvml_success;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, MemoryV2 *memory) {
    if (memory != nullptr && memory->version != memory_v2) {
        return error_version_mismatch;
    }
    nvmlMemory_t plain{};
    const nvmlReturn_t result = nvmlDeviceGetMemoryInfo(device, memory == nullptr ? nullptr : &plain);
    if (result == nvml_success) {
        *memory = {memory_v2, plain.total, 0, plain.free, plain.used};
    }
    return result;
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization) {
    return with_device(device, [&](const DeviceConfig &config) {
        if (config.nvml.utilization < 0 || is_part(device)) {
            return nvml_error_not_supported;
        }
        if (utilization == nullptr) {
            return error_invalid_argument;
        }
        *utilization = {static_cast<unsigned>(config.nvml.utilization), 0};
        return nvml_success;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned words, unsigned long *nodes,
                                                          nvmlAffinityScope_t scope) {
    return with_device(device, [&](const DeviceConfig &config) {
        if (scope > 1) {
            return error_invalid_argument;
        }
        return config.nvml.memory_affinity < 0
                   ? nvml_error_not_supported
                   : set_bits(nodes, words, {static_cast<unsigned>(config.nvml.memory_affinity)});
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned words, unsigned long *cpus) {
    return cpu_affinity(device, words, cpus);
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned words,
                                                                  unsigned long *cpus, nvmlAffinityScope_t scope) {
    return scope > 1 ? error_invalid_argument : cpu_affinity(device, words, cpus);
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned *node) {
    return with_device(device, [&](const DeviceConfig &config) {
        if (config.nvml.numa_node_id < 0 || node == nullptr) {
            return node == nullptr ? error_invalid_argument : nvml_error_not_supported;
        }
        *node = static_cast<unsigned>(config.nvml.numa_node_id);
        return nvml_success;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_mig) {
    return with_device(device, [&](const DeviceConfig &) {
        if (is_mig == nullptr) {
            return error_invalid_argument;
        }
        *is_mig = is_part(device) ? 1 : 0;
        return nvml_success;
    });
}

FAKE_NVML_EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t part, nvmlDevice_t *device) {
    return with_device(part, [&](const DeviceConfig &) {
        if (device == nullptr || !is_part(part)) {
            return error_invalid_argument;
        }
        *device = handle_of(ordinal_of(part));
        return nvml_success;
    });
}
