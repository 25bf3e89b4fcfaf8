// SPDX-License-Identifier: Apache-2.0
#include "api/handles.hpp"
#include "api/pinned_near.hpp"

#include <nearpool/pinned_query.h>

#include <cstdio>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Result<near_pinned_info> info_of(const pinned::Block &block) {
    const pinned::Memory &memory = *block.memory;
    const Result<pinned::Gpu> gpu = pinned::cache_of(block).gpu_of(block.ordinal);
    if (!gpu) {
        return gpu.error();
    }
    const Result<uint64_t> pointer = pinned::device_pointer(gpu.value(), memory, block.data);
    if (!pointer) {
        return pointer.error();
    }
    near_pinned_info info{};
    info.method = memory.method();
    info.ordinal = block.ordinal;
    info.node = gpu.value().node_known ? memory.node() : NEAR_NODE_UNKNOWN;
    info.device_pointer = pointer.value();
    info.bytes = block.use.requested;
    info.span_bytes = memory.range().bytes;
    info.chunk_count = memory.chunk_count();
    return info;
}

Census look(const pinned::Block &block) {
    return block.memory->look(pinned::cache_of(block).site(), block.data, block.use.requested);
}

near_placement report(const pinned::Block &block, const Census &census) {
    const Site site = pinned::cache_of(block).site();
    return block.memory->describe(site.topology, census, block.data, block.use.requested);
}

// nullptr: the way is the memory's own, or comes after it.
const pinned::Missed *missed_by(const pinned::Memory &memory, int32_t method) {
    for (const pinned::Missed &missed : memory.missed()) {
        if (missed.method == method) {
            return &missed;
        }
    }
    return nullptr;
}

} // namespace

extern "C" {

near_status near_pinned_get_info(const near_pinned *pinned, near_pinned_info *info, near_error *error) {
    return guarded("near_pinned_get_info", error, [&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_output(info, "near_pinned_info"); !ok) {
            return ok;
        }
        if (Done ok = check_here(*block_of(pinned)); !ok) {
            return ok;
        }
        const Result<near_pinned_info> facts = info_of(*block_of(pinned));
        if (!facts) {
            return facts.error();
        }
        write_struct(info, facts.value());
        return {};
    });
}

near_status near_pinned_placement(const near_pinned *pinned, near_placement *placement, near_error *error) {
    return guarded("near_pinned_placement", error, [&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_output(placement, "near_placement"); !ok) {
            return ok;
        }
        const pinned::Block &block = *block_of(pinned);
        if (Done ok = check_here(block); !ok) {
            return ok;
        }
        write_struct(placement, report(block, look(block)));
        return {};
    });
}

near_status near_pinned_nodes(const near_pinned *pinned, near_node_pages *nodes, size_t capacity, size_t *needed,
                              near_error *error) {
    return guarded("near_pinned_nodes", error, [&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const pinned::Block &block = *block_of(pinned);
        if (Done ok = check_here(block); !ok) {
            return ok;
        }
        const Result<std::vector<near_node_pages>> found = pages_by_node(look(block));
        return found ? write_list(found.value(), nodes, capacity, needed, "nodes") : Done(found.error());
    });
}

near_status near_pinned_look(const near_pinned *pinned, near_placement *placement, near_node_pages *nodes,
                             size_t capacity, size_t *needed, near_error *error) {
    return guarded("near_pinned_look", error, [&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_output(placement, "near_placement"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const pinned::Block &block = *block_of(pinned);
        if (Done ok = check_here(block); !ok) {
            return ok;
        }
        const Census census = look(block);
        const Result<std::vector<near_node_pages>> found = pages_by_node(census);
        if (!found) {
            return found.error();
        }
        if (Done ok = write_list(found.value(), nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        write_struct(placement, report(block, census));
        return {};
    });
}

near_status near_pinned_reason(const near_pinned *pinned, int32_t method, int32_t *reason_code, char *text,
                               size_t capacity) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (method < NEAR_PINNED_PLACED || method > NEAR_PINNED_ADOPTED) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_pointer(reason_code, "reason_code"); !ok) {
            return ok;
        }
        if (text == nullptr && capacity != 0) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_here(*block_of(pinned)); !ok) {
            return ok;
        }
        const pinned::Missed *missed = missed_by(*block_of(pinned)->memory, method);
        *reason_code = missed != nullptr ? missed->reason : int32_t{NEAR_REASON_NONE};
        if (text != nullptr) {
            std::snprintf(text, capacity, "%s", missed != nullptr ? missed->text.c_str() : "");
        }
        return {};
    });
}

near_status near_pinned_descriptor(const near_pinned *pinned, int32_t *descriptor) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(descriptor, "descriptor"); !ok) {
            return ok;
        }
        if (Done ok = check_here(*block_of(pinned)); !ok) {
            return ok;
        }
        const Result<int32_t> found = block_of(pinned)->memory->descriptor();
        if (!found) {
            return found.error();
        }
        *descriptor = found.value();
        return {};
    });
}

const char *near_pinned_method_name(int32_t method) {
    return pinned::method_name(method);
}
}
