// SPDX-License-Identifier: Apache-2.0
#include "memory/region.hpp"
#include "api/boundary.hpp"
#include "api/process.hpp"

#include <nearpool/region_look.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Region *region_of(near_region *handle) {
    return reinterpret_cast<Region *>(handle);
}

const Region *region_of(const near_region *handle) {
    return reinterpret_cast<const Region *>(handle);
}

} // namespace

extern "C" near_status near_region_create(const near_topology *topology, size_t bytes,
                                          const near_region_options *options, near_region **region, near_error *error) {
    return guarded("near_region_create", error, [&]() -> Done {
        Result<Ref<const Topology>> machine = topology_of(topology);
        if (!machine) {
            return machine.error();
        }
        const Result<near_region_options> known = read_struct(options, "near_region_options");
        if (!known) {
            return known.error();
        }
        if (Done ok = check_count(known.value().node_count, sizeof *known.value().nodes, "nodes"); !ok) {
            return ok;
        }
        const Result<RegionSpec> spec = region_spec(*machine.value(), bytes, known.value());
        if (!spec) {
            return spec.error();
        }
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        Result<std::unique_ptr<Region>> made = Region::create(real_ports(), machine.value(), crew(), spec.value());
        if (!made) {
            return made.error();
        }
        *region = reinterpret_cast<near_region *>(made.take().release());
        return {};
    });
}

extern "C" void near_region_destroy(near_region *region) {
    delete region_of(region);
}

extern "C" void *near_region_data(const near_region *region) {
    return region == nullptr ? nullptr : region_of(region)->data();
}

extern "C" size_t near_region_bytes(const near_region *region) {
    return region == nullptr ? 0 : region_of(region)->bytes();
}

extern "C" near_status near_region_descriptor(const near_region *region, int32_t *descriptor) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(descriptor, "descriptor"); !ok) {
            return ok;
        }
        const Result<int32_t> found = region_of(region)->descriptor();
        if (!found) {
            return found.error();
        }
        *descriptor = found.value();
        return {};
    });
}

extern "C" near_status near_region_placement(near_region *region, near_placement *placement, near_error *error) {
    return guarded("near_region_placement", error, [&]() -> Done {
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        if (Done ok = check_output(placement, "near_placement"); !ok) {
            return ok;
        }
        write_struct(placement, region_of(region)->placement());
        return {};
    });
}

extern "C" near_status near_region_nodes(near_region *region, near_node_pages *nodes, size_t capacity, size_t *needed,
                                         near_error *error) {
    return guarded("near_region_nodes", error, [&]() -> Done {
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const Result<std::vector<near_node_pages>> found = region_of(region)->nodes();
        return found ? write_list(found.value(), nodes, capacity, needed, "nodes") : Done(found.error());
    });
}

extern "C" near_status near_region_look(near_region *region, near_placement *placement, near_node_pages *nodes,
                                        size_t capacity, size_t *needed, near_error *error) {
    return guarded("near_region_look", error, [&]() -> Done {
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        if (Done ok = check_output(placement, "near_placement"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const Result<Seen> seen = region_of(region)->look();
        if (!seen) {
            return seen.error();
        }
        if (Done ok = write_list(seen.value().nodes, nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        write_struct(placement, seen.value().placement);
        return {};
    });
}
