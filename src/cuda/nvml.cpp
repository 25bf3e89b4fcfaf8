// SPDX-License-Identifier: Apache-2.0
#include "cuda/nvml.hpp"

namespace nearpool::cuda {
namespace {

Error failure(nvmlReturn_t code, const char *call) {
    return fail(NEAR_E_UNSUPPORTED, "%s answers %d", call, code);
}

} // namespace

Result<Nvml> Nvml::open(LibraryPort &libraries, const std::string &name) {
    std::string why;
    void *library = libraries.open(name, &why);
    if (library == nullptr) {
        return fail(NEAR_E_UNSUPPORTED, "%s", why.c_str());
    }
    enum class Need {
        required,
        optional
    };
    Nvml nvml;
    const char *missing = nullptr;
    const auto exported = [&](const char *entry) { return libraries.symbol(library, entry); };
// NOLINTBEGIN(bugprone-macro-parentheses): these are types and names
#define NEARPOOL_NVML(member, symbol, need, parameters)                                                                \
    nvml.member##_ = reinterpret_cast<nvmlReturn_t(*) parameters>(exported(#symbol));                                  \
    if (nvml.member##_ == nullptr && Need::need == Need::required && missing == nullptr) {                             \
        missing = #symbol;                                                                                             \
    }
// NOLINTEND(bugprone-macro-parentheses)
#include "cuda/nvml_entry_points.inc"
#undef NEARPOOL_NVML
    if (missing != nullptr) {
        return fail(NEAR_E_UNSUPPORTED, "%s has no %s", name.c_str(), missing);
    }
    if (const nvmlReturn_t code = nvml.init_(); code != nvml_success) {
        return failure(code, "nvmlInit");
    }
    return nvml;
}

Result<nvmlDevice_t> Nvml::find(const Facts &device) const {
    nvmlDevice_t found = nullptr;
    nvmlReturn_t code = device_by_uuid_(device.uuid_text().c_str(), &found);
    if (code != nvml_success && !device.mig) { // the slices of a GPU share an address
        code = device_by_pci_address_(device.pci_address.c_str(), &found);
    }
    return code == nvml_success ? Result<nvmlDevice_t>(found) : failure(code, "nvmlDeviceGetHandleByUUID");
}

Result<DeviceMemory> Nvml::memory(const Facts &device) const {
    const Result<nvmlDevice_t> found = find(device);
    if (!found) {
        return found.error();
    }
    nvmlMemory_t memory{};
    const nvmlReturn_t code = device_memory_info_(found.value(), &memory);
    return code == nvml_success ? Result<DeviceMemory>(DeviceMemory{memory.total, memory.free})
                                : failure(code, "nvmlDeviceGetMemoryInfo");
}

Result<unsigned> Nvml::utilization(const Facts &device) const {
    const Result<nvmlDevice_t> found = find(device);
    if (!found) {
        return found.error();
    }
    nvmlUtilization_t utilization{};
    const nvmlReturn_t code = device_utilization_(found.value(), &utilization);
    return code == nvml_success ? Result<unsigned>(utilization.gpu) : failure(code, "nvmlDeviceGetUtilizationRates");
}

Result<std::vector<uint32_t>> Nvml::nodes(const Facts &device, uint32_t last) const {
    if (device_memory_affinity_ == nullptr) {
        return fail(NEAR_E_UNSUPPORTED, "NVML has no nvmlDeviceGetMemoryAffinity");
    }
    const Result<nvmlDevice_t> found = find(device);
    if (!found) {
        return found.error();
    }
    constexpr uint32_t bits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> words(last / bits + 1);
    const nvmlReturn_t code = device_memory_affinity_(found.value(), static_cast<unsigned>(words.size()), words.data(),
                                                      nvml_affinity_scope_node);
    if (code != nvml_success) {
        return failure(code, "nvmlDeviceGetMemoryAffinity");
    }
    std::vector<uint32_t> nodes;
    for (uint32_t node = 0; node <= last; node++) {
        if ((words[node / bits] >> (node % bits) & 1U) != 0) {
            nodes.push_back(node);
        }
    }
    return nodes;
}

} // namespace nearpool::cuda
