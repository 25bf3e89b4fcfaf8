// SPDX-License-Identifier: Apache-2.0
#include "machine/device_map.hpp"

#include "api/boundary.hpp"
#include "api/process.hpp"
#include "base/text.hpp"

#include <memory>

using namespace nearpool;
using namespace nearpool::api;

namespace {

const DeviceMap *map_of(const near_device_map *handle) {
    return reinterpret_cast<const DeviceMap *>(handle);
}

near_device public_form(const MappedDevice &from) {
    near_device answer{};
    answer.kind = from.kind;
    answer.node = from.node.node;
    answer.attached_node = from.node.attached;
    answer.node_source = from.node.source;
    answer.ordinal = from.ordinal;
    copy_text(answer.name, from.name);
    copy_text(answer.pci_address, from.pci_address);
    copy_text(answer.uuid_text, from.uuid);
    copy_text(answer.model, from.model);
    answer.memory_node = from.node.memory;
    return answer;
}

Result<DeviceMap> make_map(const near_topology *topology, bool use_driver) {
    const Result<Ref<const Topology>> found = topology_of(topology);
    if (!found) {
        return found.error();
    }
    const Topology &machine = *found.value();
    return DeviceMap::make(machine, use_driver ? ask_driver(gpu_loader(), machine) : without_driver());
}

Done check_name(const char *name) {
    if (Done ok = check_pointer(name, "name"); !ok) {
        return ok;
    }
    return *name != '\0' ? Done() : fail(NEAR_E_INVALID, "name is empty");
}

} // namespace

extern "C" {

near_status near_device_map_create(const near_topology *topology, const near_device_map_options *options,
                                   near_device_map **map, near_error *error) {
    return guarded("near_device_map_create", error, [&]() -> Done {
        const Result<near_device_map_options> wanted = read_struct(options, "near_device_map_options");
        if (!wanted) {
            return wanted.error();
        }
        const uint32_t use_driver = wanted.value().use_driver;
        if (use_driver > 1) {
            return fail(NEAR_E_INVALID, "use_driver is %u; it must be 0 or 1", use_driver);
        }
        if (Done ok = check_pointer(map, "map"); !ok) {
            return ok;
        }
        Result<DeviceMap> made = make_map(topology, use_driver == 1);
        if (!made) {
            return made.error();
        }
        *map = reinterpret_cast<near_device_map *>(std::make_unique<DeviceMap>(made.take()).release());
        return {};
    });
}

void near_device_map_destroy(near_device_map *map) {
    delete reinterpret_cast<DeviceMap *>(map);
}

size_t near_device_map_count(const near_device_map *map) {
    return map != nullptr ? map_of(map)->devices().size() : 0;
}

near_status near_device_map_get(const near_device_map *map, size_t index, near_device *device) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(map, "map"); !ok) {
            return ok;
        }
        if (index >= near_device_map_count(map)) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_output(device, "near_device"); !ok) {
            return ok;
        }
        write_struct(device, public_form(map_of(map)->devices()[index]));
        return {};
    });
}

near_status near_device_map_near_nodes(const near_device_map *map, size_t index, uint32_t *nodes, size_t capacity,
                                       size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(map, "map"); !ok) {
            return ok;
        }
        if (index >= near_device_map_count(map)) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const NumberSet &near = map_of(map)->devices()[index].node.near;
        return write_list(std::vector<uint32_t>(near.begin(), near.end()), nodes, capacity, needed, "nodes");
    });
}

near_status near_device_map_find(const near_device_map *map, const char *name, near_device *device, near_error *error) {
    return guarded("near_device_map_find", error, [&]() -> Done {
        if (Done ok = check_pointer(map, "map"); !ok) {
            return ok;
        }
        if (Done ok = check_name(name); !ok) {
            return ok;
        }
        if (Done ok = check_output(device, "near_device"); !ok) {
            return ok;
        }
        const Result<const MappedDevice *> found = map_of(map)->find(name);
        if (!found) {
            return found.error();
        }
        write_struct(device, public_form(*found.value()));
        return {};
    });
}

near_status near_device_map_format(const near_device_map *map, int32_t format, char *buffer, size_t capacity,
                                   size_t *needed, near_error *error) {
    return guarded("near_device_map_format", error, [&]() -> Done {
        if (Done ok = check_pointer(map, "map"); !ok) {
            return ok;
        }
        if (format != NEAR_FORMAT_TEXT && format != NEAR_FORMAT_JSON) {
            return fail(NEAR_E_INVALID, "%d is no format of a device map (NEAR_FORMAT_TEXT, NEAR_FORMAT_JSON)", format);
        }
        if (Done ok = check_output_list(buffer, capacity, needed, "buffer"); !ok) {
            return ok;
        }
        const std::string text = format == NEAR_FORMAT_TEXT ? map_of(map)->text() : map_of(map)->json();
        return write_text(text, buffer, capacity, needed);
    });
}

const char *near_device_kind_name(int32_t kind) {
    return device_kind_name(kind);
}

const char *near_node_source_name(int32_t source) {
    return node_source_name(source);
}
}
