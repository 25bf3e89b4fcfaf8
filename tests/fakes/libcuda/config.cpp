// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace fakes::cuda {

namespace {

using Json = nlohmann::json;
using Uuid = std::array<unsigned char, 16>;

/// A wrong configuration would make every test that follows mean something else: it ends the program.
[[noreturn]] void refuse(const std::string &where, const std::string &what) {
    std::fprintf(stderr, "fake driver: configuration: %s: %s\n", where.c_str(), what.c_str());
    std::abort();
}

/// Takes the members of an object one by one; finish() refuses those that nobody took.
class Reader {
public:
    Reader(const Json &object, std::string where) : object_(object), where_(std::move(where)) {
        if (!object_.is_object()) {
            refuse(where_, "must be an object");
        }
    }

    const Json *take(const char *key) {
        taken_.insert(key);
        const auto found = object_.find(key);
        return found == object_.end() ? nullptr : &*found;
    }

    template <typename T> void read(const char *key, T &value) {
        if (const Json *found = take(key); found != nullptr) {
            value = convert<T>(*found, path(key));
        }
    }

    void finish() const {
        for (const auto &[key, value] : object_.items()) {
            if (taken_.count(key) == 0) {
                refuse(path(key), "no such field");
            }
        }
    }

    std::string path(const std::string &key) const { return where_.empty() ? key : where_ + "." + key; }

    template <typename T> static T convert(const Json &value, const std::string &where) {
        const bool fits = std::is_same_v<T, bool>          ? value.is_boolean()
                          : std::is_same_v<T, std::string> ? value.is_string()
                          : std::is_unsigned_v<T>          ? value.is_number_unsigned()
                                                           : value.is_number_integer();
        if (!fits) {
            refuse(where, "has the wrong type: " + value.dump());
        }
        return value.get<T>();
    }

private:
    const Json &object_;
    std::string where_;
    std::set<std::string> taken_;
};

void each(const Json *list, const std::string &where, const std::function<void(const Json &, std::string)> &visit) {
    if (list == nullptr) {
        return;
    }
    if (!list->is_array()) {
        refuse(where, "must be a list");
    }
    for (std::size_t i = 0; i < list->size(); i++) {
        visit((*list)[i], where + "[" + std::to_string(i) + "]");
    }
}

template <typename T> std::vector<T> numbers(const Json *list, const std::string &where) {
    std::vector<T> found;
    each(list, where, [&](const Json &item, const std::string &at) { found.push_back(Reader::convert<T>(item, at)); });
    return found;
}

Uuid parse_uuid(const std::string &text, const std::string &prefix, const std::string &where) {
    Uuid uuid{};
    std::string digits;
    for (const char c : text.substr(text.rfind(prefix, 0) == 0 ? prefix.size() : 0)) {
        if (c != '-') {
            digits += c;
        }
    }
    if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
        refuse(where, "is no UUID: " + text);
    }
    for (std::size_t i = 0; i < uuid.size(); i++) {
        uuid[i] = static_cast<unsigned char>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
    }
    return uuid;
}

PciAddress parse_pci(const std::string &text, const std::string &where) {
    PciAddress pci;
    unsigned function = 0;
    int used = 0;
    const int found = std::sscanf(text.c_str(), "%x:%x:%x.%x%n", &pci.domain, &pci.bus, &pci.device, &function, &used);
    if (found != 4 || static_cast<std::size_t>(used) != text.size() || function != 0) {
        refuse(where, "is no PCI address like 0000:81:00.0: " + text);
    }
    return pci;
}

void read_nvml(const Json &object, const std::string &where, NvmlConfig &nvml) {
    Reader reader(object, where);
    reader.read("present", nvml.present);
    reader.read("utilization", nvml.utilization);
    reader.read("memory_affinity", nvml.memory_affinity);
    reader.read("numa_node_id", nvml.numa_node_id);
    nvml.cpu_affinity = numbers<unsigned>(reader.take("cpu_affinity"), where + ".cpu_affinity");
    reader.finish();
}

DeviceConfig default_device(std::size_t ordinal) {
    DeviceConfig device;
    device.name = "Fake GPU " + std::to_string(ordinal);
    device.pci.bus = 0x81 + static_cast<uint32_t>(ordinal);
    device.uuid = {0xfa, 0x4e, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, static_cast<unsigned char>(ordinal)};
    return device;
}

void read_capability(const Json *value, const std::string &where, DeviceConfig &device) {
    if (value == nullptr) {
        return;
    }
    const auto text = Reader::convert<std::string>(*value, where);
    if (std::sscanf(text.c_str(), "%d.%d", &device.compute_capability_major, &device.compute_capability_minor) != 2) {
        refuse(where, "is no compute capability like \"9.0\": " + text);
    }
}

void read_device(const Json &object, const std::string &where, DeviceConfig &device) {
    Reader reader(object, where);
    std::string uuid, pci, mig;
    reader.read("name", device.name);
    reader.read("uuid", uuid);
    reader.read("pci", pci);
    reader.read("mig", mig);
    reader.read("domain_width", device.domain_width);
    reader.read("host_numa_id", device.host_numa_id);
    reader.read("numa_id", device.numa_id);
    reader.read("memory_bytes", device.memory_bytes);
    reader.read("compute_mode", device.compute_mode);
    reader.read("pageable_by_host_tables", device.pageable_by_host_tables);
    reader.read("host_register", device.host_register);
    read_capability(reader.take("compute_capability"), where + ".compute_capability", device);
    if (!uuid.empty()) {
        device.uuid = parse_uuid(uuid, "GPU-", where + ".uuid");
    }
    if (!pci.empty()) {
        device.pci = parse_pci(pci, where + ".pci");
    }
    if (!mig.empty()) {
        device.mig = true;
        device.mig_uuid = parse_uuid(mig, "MIG-", where + ".mig");
    }
    if (device.domain_width != 4 && device.domain_width != 8) {
        refuse(where + ".domain_width", "is 4 or 8");
    }
    if (const Json *nvml = reader.take("nvml"); nvml != nullptr) {
        read_nvml(*nvml, where + ".nvml", device.nvml);
    }
    reader.finish();
}

PeerConfig read_peer(const Json &object, const std::string &where) {
    PeerConfig peer;
    Reader reader(object, where);
    reader.read("access", peer.access);
    reader.read("rank", peer.rank);
    reader.read("atomics", peer.atomics);
    reader.finish();
    return peer;
}

FailureConfig read_failure(const Json &object, const std::string &where) {
    FailureConfig failure;
    Reader reader(object, where);
    reader.read("symbol", failure.symbol);
    reader.read("nth", failure.nth);
    reader.read("error", failure.error);
    reader.read("null", failure.null);
    reader.read("always", failure.always);
    reader.finish();
    if (failure.symbol.empty() || (failure.error != 0) == failure.null || failure.nth == 0) {
        refuse(where, "needs a symbol, either an error or null, and an nth from 1 on");
    }
    return failure;
}

void read_peers(const Json *rows, Config &config) {
    each(rows, "peers", [&](const Json &row, const std::string &where) {
        std::vector<PeerConfig> peers;
        each(&row, where, [&](const Json &cell, const std::string &at) { peers.push_back(read_peer(cell, at)); });
        config.peers.push_back(std::move(peers));
    });
    const std::size_t count = config.devices.size();
    if (rows == nullptr) {
        config.peers.assign(count, std::vector<PeerConfig>(count));
    }
    bool square = config.peers.size() == count;
    for (const auto &row : config.peers) {
        square = square && row.size() == count;
    }
    if (!square) {
        refuse("peers", "needs a row and a column for each device");
    }
}

void read_lists(Reader &reader, Config &config) {
    const Json *devices = reader.take("devices");
    each(devices, "devices", [&](const Json &item, const std::string &where) {
        config.devices.push_back(default_device(config.devices.size()));
        read_device(item, where, config.devices.back());
    });
    if (devices == nullptr) {
        config.devices = {default_device(0), default_device(1)};
    }
    read_peers(reader.take("peers"), config);
    each(reader.take("fail"), "fail",
         [&](const Json &item, const std::string &where) { config.fail.push_back(read_failure(item, where)); });
    config.host_nodes = numbers<int>(reader.take("host_nodes"), "host_nodes");
    config.full_nodes = numbers<int>(reader.take("full_nodes"), "full_nodes");
    const auto priorities = numbers<int>(reader.take("priorities"), "priorities");
    if (!priorities.empty()) {
        if (priorities.size() != 2 || priorities[0] < priorities[1]) {
            refuse("priorities", "is a list of the least and the greatest, like [0, -5]");
        }
        config.priority_least = priorities[0];
        config.priority_greatest = priorities[1];
    }
    if (const Json *latency = reader.take("latency_ns"); latency != nullptr) {
        Reader inner(*latency, "latency_ns");
        for (const auto &[symbol, value] : latency->items()) {
            config.latency_ns[symbol] = Reader::convert<uint64_t>(value, inner.path(symbol));
        }
    }
}

Config parse(const Json &json) {
    Config config;
    Reader reader(json, "");
    reader.read("version", config.version);
    reader.read("mode", config.mode);
    reader.read("context_bytes", config.context_bytes);
    reader.read("stream_limit", config.stream_limit);
    reader.read("pin_ns_per_gib", config.pin_ns_per_gib);
    reader.read("pin_lock", config.pin_lock);
    reader.read("host_pointer_offset", config.host_pointer_offset);
    reader.read("host_alloc_offset", config.host_alloc_offset);
    reader.read("host_numa", config.host_numa);
    reader.read("kernel611", config.kernel611);
    reader.read("reset_refuses_active", config.reset_refuses_active);
    reader.read("log", config.log);
    reader.read("leak_check", config.leak_check);
    read_lists(reader, config);
    reader.finish();
    if (std::set<std::string>{"normal", "stub", "no-device", "teardown"}.count(config.mode) == 0) {
        refuse("mode", "is normal, stub, no-device or teardown, not " + config.mode);
    }
    if (config.host_alloc_offset >= 4096) {
        refuse("host_alloc_offset", "is less than a page, not " + std::to_string(config.host_alloc_offset));
    }
    return config;
}

std::string file_text(const std::string &path) {
    std::ifstream file(path);
    if (!file) {
        refuse(path, "cannot be read");
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace

Config read_config(const std::string &text) {
    if (text.empty()) {
        return parse(Json::object());
    }
    const Json json = Json::parse(text.front() == '{' ? text : file_text(text), nullptr, false);
    if (json.is_discarded()) {
        refuse(text.front() == '{' ? "the text" : text, "is no JSON");
    }
    return parse(json);
}

std::string environment_config() {
    const char *text = std::getenv("NEARPOOL_FAKE_CUDA");
    return text == nullptr ? std::string{} : std::string(text);
}

std::string uuid_text(const std::array<unsigned char, 16> &uuid) {
    std::string text;
    for (std::size_t i = 0; i < uuid.size(); i++) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(uuid[i]));
        text += (i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "") + std::string(digits);
    }
    return text;
}

} // namespace fakes::cuda
