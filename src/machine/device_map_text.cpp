// SPDX-License-Identifier: Apache-2.0
// A device map for people, and as JSON for programs; there the names are those of the struct of the public header.
#include "machine/device_map.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

namespace nearpool {
namespace {

using Json = nlohmann::ordered_json;

std::string node_text(const DeviceNode &node) {
    if (node.source == NEAR_NODE_SOURCE_NONE) {
        return node.near.empty() ? "node unknown" : "node unknown, one of " + node.near.text();
    }
    std::string text = format("node %u", node.node);
    if (node.attached != node.node) {
        text += format(", nearest to node %u without CPUs", node.attached);
    }
    if (node.near.size() > 1) {
        text += ", of nodes " + node.near.text();
    }
    return text + " (" + node_source_name(node.source) + ")";
}

std::string line(const MappedDevice &device) {
    std::string text = std::string(device_kind_name(device.kind)) + " " + device.name;
    if (device.pci_address != device.name && !device.pci_address.empty()) {
        text += ", " + device.pci_address;
    }
    if (device.ordinal >= 0) {
        text += format(", %d in the driver", device.ordinal);
    }
    text += device.model.empty() ? "" : ", " + device.model;
    text += device.uuid.empty() ? "" : ", " + device.uuid;
    text += ": " + node_text(device.node);
    text += device.node.memory == NEAR_NODE_UNKNOWN ? "" : format(", its memory is node %u", device.node.memory);
    return text + "\n";
}

// Unknown is null.
Json known(uint32_t number) {
    return number == NEAR_NODE_UNKNOWN ? Json(nullptr) : Json(number);
}

Json known(const std::string &text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json json_of(const MappedDevice &device) {
    return {{"kind", device_kind_name(device.kind)},
            {"name", device.name},
            {"pci_address", known(device.pci_address)},
            {"uuid_text", known(device.uuid)},
            {"model", known(device.model)},
            {"ordinal", device.ordinal < 0 ? Json(nullptr) : Json(device.ordinal)},
            {"node", known(device.node.node)},
            {"attached_node", known(device.node.attached)},
            {"node_source", node_source_name(device.node.source)},
            {"near_nodes", std::vector<uint32_t>(device.node.near.begin(), device.node.near.end())},
            {"memory_node", known(device.node.memory)}};
}

} // namespace

std::string DeviceMap::text() const {
    std::string text = format("%zu device%s\n", devices_.size(), devices_.size() == 1 ? "" : "s");
    for (const MappedDevice &device : devices_) {
        text += line(device);
    }
    return missing_.empty() ? text : text + "UUIDs of GPUs: " + missing_text() + "\n";
}

std::string DeviceMap::json() const {
    Json root = {{"driver_known", driver_known_}, {"missing", missing_}, {"devices", Json::array()}};
    for (const MappedDevice &device : devices_) {
        root["devices"].push_back(json_of(device));
    }
    // A name may have bytes that are no UTF-8.
    return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace nearpool
