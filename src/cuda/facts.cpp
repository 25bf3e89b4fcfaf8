// SPDX-License-Identifier: Apache-2.0
#include "cuda/facts.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace nearpool::cuda {
namespace {

// Asks one question after another and keeps the first failure.
class Questions {
public:
    explicit Questions(const Driver &driver) : driver_(driver) {}

    void ask(CUresult code, const char *call) {
        if (first_ == cuda_success && code != cuda_success) {
            first_ = code;
            call_ = call;
        }
    }
    int attribute(CUdevice device, CUdevice_attribute which) {
        int value = 0;
        ask(driver_.device_get_attribute(&value, which, device), "cuDeviceGetAttribute");
        return value;
    }
    Done outcome() const { return first_ == cuda_success ? Done() : Done(driver_.error(first_, call_)); }

private:
    const Driver &driver_;
    CUresult first_ = cuda_success;
    const char *call_ = "";
};

void read_uuid(const Driver &driver, Questions &questions, Facts &facts) {
    questions.ask(driver.device_get_uuid(&facts.uuid, facts.handle), "cuDeviceGetUuid");
    CUuuid instance{};
    if (driver.device_get_uuid_mig != nullptr && driver.device_get_uuid_mig(&instance, facts.handle) == cuda_success) {
        facts.mig = std::memcmp(instance.bytes, facts.uuid.bytes, sizeof instance.bytes) != 0;
        facts.uuid = instance;
    }
}

void read_names(const Driver &driver, Questions &questions, Facts &facts) {
    std::array<char, 256> name{};
    std::array<char, 32> address{};
    questions.ask(driver.device_get_name(name.data(), name.size() - 1, facts.handle), "cuDeviceGetName");
    questions.ask(driver.device_get_pci_bus_id(address.data(), address.size() - 1, facts.handle),
                  "cuDeviceGetPCIBusId");
    facts.name = name.data();
    facts.pci_address = address.data();
    std::transform(facts.pci_address.begin(), facts.pci_address.end(), facts.pci_address.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    if (facts.pci_address.find(':') == 8 && facts.pci_address.compare(0, 4, "0000") == 0) {
        facts.pci_address.erase(0, 4); // some drivers write the domain in eight digits, sysfs in as many as it needs
    }
}

// A driver before CUDA 12.2 does not know the questions.
std::optional<int> node_of(const Driver &driver, const Facts &facts, CUdevice_attribute which) {
    int node = -1;
    const bool said = driver.device_get_attribute(&node, which, facts.handle) == cuda_success;
    return said && node >= 0 ? std::optional(node) : std::nullopt;
}

std::optional<int> own_node(const Driver &driver, const Facts &facts) {
    int kind = 0;
    const CUresult code = driver.device_get_attribute(&kind, attribute_numa_config, facts.handle);
    return code == cuda_success && kind == numa_config_node ? node_of(driver, facts, attribute_numa_id) : std::nullopt;
}

} // namespace

std::string Facts::uuid_text() const {
    std::string text = mig ? "MIG-" : "GPU-";
    for (std::size_t i = 0; i < sizeof uuid.bytes; i++) {
        text += format(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                       static_cast<unsigned>(static_cast<unsigned char>(uuid.bytes[i])));
    }
    return text;
}

Result<Facts> read_facts(const Driver &driver, int32_t ordinal) {
    Facts facts;
    facts.ordinal = ordinal;
    if (const CUresult code = driver.device_get(&facts.handle, ordinal); code != cuda_success) {
        return driver.error(code, "cuDeviceGet");
    }
    Questions questions(driver);
    read_names(driver, questions, facts);
    read_uuid(driver, questions, facts);
    std::size_t total = 0;
    questions.ask(driver.device_total_mem(&total, facts.handle), "cuDeviceTotalMem");
    facts.total_bytes = total;
    facts.capability_major = questions.attribute(facts.handle, attribute_compute_capability_major);
    facts.capability_minor = questions.attribute(facts.handle, attribute_compute_capability_minor);
    const int mode = questions.attribute(facts.handle, attribute_compute_mode);
    if (Done ok = questions.outcome(); !ok) {
        return ok.error();
    }
    if (mode == compute_mode_prohibited) {
        return fail(NEAR_E_DEVICE, "its compute mode is \"prohibited\": it takes no contexts");
    }
    facts.host_node = node_of(driver, facts, attribute_host_numa_id);
    facts.memory_node = own_node(driver, facts);
    return facts;
}

} // namespace nearpool::cuda
