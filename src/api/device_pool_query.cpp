// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/handles.hpp"
#include "base/text.hpp"

#include <nearpool/device_pool_query.h>

#include <cstring>

using namespace nearpool;
using namespace nearpool::api;

namespace {

device_pool_facts answer_of(const device::Device &device) {
    const cuda::Facts &known = device.facts();
    device_pool_facts answer{};
    answer.ordinal = known.ordinal;
    answer.total_bytes = known.total_bytes;
    answer.capability_major = static_cast<uint32_t>(known.capability_major);
    answer.capability_minor = static_cast<uint32_t>(known.capability_minor);
    answer.node = device.node().node;
    answer.attached_node = device.node().attached;
    answer.node_source = device.node().source;
    answer.mig = known.mig ? 1 : 0;
    static_assert(sizeof answer.uuid == sizeof known.uuid.bytes);
    std::memcpy(answer.uuid, known.uuid.bytes, sizeof answer.uuid);
    copy_text(answer.uuid_text, known.uuid_text());
    copy_text(answer.pci_address, known.pci_address);
    copy_text(answer.name, known.name);
    answer.memory_node = device.node().memory;
    return answer;
}

// The device of a call that asks the driver.
Result<device::Device *> device_of(device_pool *pool, int32_t ordinal) {
    if (Done ok = check_alive(*pool_of(pool)); !ok) {
        return ok.error();
    }
    device::Device *device = pool_of(pool)->find(ordinal);
    return device != nullptr ? Result<device::Device *>(device) : pool_of(pool)->no_device(ordinal);
}

} // namespace

extern "C" {

near_status device_pool_get_facts(const device_pool *pool, int32_t ordinal, device_pool_facts *facts) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output(facts, "device_pool_facts"); !ok) {
            return ok;
        }
        const device::Device *device = pool_of(pool)->find(ordinal);
        if (device == nullptr) {
            return as_done(NEAR_E_DEVICE);
        }
        write_struct(facts, answer_of(*device));
        return {};
    });
}

near_status device_pool_node(const device_pool *pool, int32_t ordinal, uint32_t *node) {
    if (pool == nullptr || node == nullptr) {
        return NEAR_E_INVALID;
    }
    const device::Device *device = pool_of(pool)->find(ordinal);
    if (device == nullptr) {
        return NEAR_E_DEVICE;
    }
    *node = device->node().node;
    return NEAR_OK;
}

near_status device_pool_get_memory(device_pool *pool, int32_t ordinal, device_pool_memory *memory, near_error *error) {
    return guarded("device_pool_get_memory", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output(memory, "device_pool_memory"); !ok) {
            return ok;
        }
        const Result<device::Device *> device = device_of(pool, ordinal);
        if (!device) {
            return device.error();
        }
        const Result<cuda::DeviceMemory> known = device.value()->memory();
        if (!known) {
            return known.error();
        }
        device_pool_memory answer{};
        answer.total_bytes = known.value().total_bytes;
        answer.free_bytes = known.value().free_bytes;
        answer.reserved_bytes = device.value()->usage().reserved_bytes;
        write_struct(memory, answer);
        return {};
    });
}

near_status device_pool_best(device_pool *pool, int32_t criterion, uint32_t node, int32_t *ordinal, near_error *error) {
    return guarded("device_pool_best", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (criterion < DEVICE_POOL_BEST_TOTAL_MEMORY || criterion > DEVICE_POOL_BEST_NEAREST) {
            return fail(NEAR_E_INVALID, "criterion is %d; it must be one of DEVICE_POOL_BEST_*", criterion);
        }
        if (Done ok = check_pointer(ordinal, "ordinal"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        const Result<int32_t> best = pool_of(pool)->best(criterion, node);
        if (!best) {
            return best.error();
        }
        *ordinal = best.value();
        return {};
    });
}

near_status device_pool_get_peers(device_pool *pool, uint32_t *peers, size_t capacity, size_t *needed,
                                  near_error *error) {
    return guarded("device_pool_get_peers", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(peers, capacity, needed, "peers"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        const Result<std::vector<uint32_t>> matrix = pool_of(pool)->peers();
        return matrix ? write_list(matrix.value(), peers, capacity, needed, "peers") : Done(matrix.error());
    });
}

near_status device_pool_get_skipped(const device_pool *pool, size_t index, device_pool_skipped *skipped,
                                    size_t *count) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (skipped != nullptr) {
            if (Done ok = check_output(skipped, "device_pool_skipped"); !ok) {
                return ok;
            }
        }
        const std::vector<device::Skipped> &all = pool_of(pool)->skipped();
        if (count != nullptr) {
            *count = all.size();
        }
        if (skipped == nullptr) {
            return {};
        }
        if (index >= all.size()) {
            return as_done(NEAR_E_INVALID);
        }
        device_pool_skipped answer{};
        answer.ordinal = all[index].ordinal;
        answer.status = all[index].why.status;
        answer.native_code = all[index].why.code;
        copy_text(answer.reason, all[index].why.message);
        write_struct(skipped, answer);
        return {};
    });
}

near_status device_pool_describe(const device_pool *pool, char *buffer, size_t capacity, size_t *needed,
                                 near_error *error) {
    return guarded("device_pool_describe", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(buffer, capacity, needed, "buffer"); !ok) {
            return ok;
        }
        return write_text(pool_of(pool)->text(), buffer, capacity, needed);
    });
}
}
