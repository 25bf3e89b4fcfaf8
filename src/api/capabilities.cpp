// SPDX-License-Identifier: Apache-2.0
#include "machine/capabilities.hpp"

#include "api/boundary.hpp"
#include "api/process.hpp"
#include "base/text.hpp"

#include <memory>

using namespace nearpool;
using namespace nearpool::api;

namespace {

const Capabilities *capabilities_of(const near_capabilities *handle) {
    return reinterpret_cast<const Capabilities *>(handle);
}

near_capability public_form(const Capability &from) {
    near_capability answer{};
    answer.available = from.available ? 1 : 0;
    answer.reason_code = from.reason;
    answer.value = from.value;
    copy_text(answer.text, from.text);
    return answer;
}

} // namespace

extern "C" {

near_status near_capabilities_create(const near_topology *topology, near_capabilities **capabilities,
                                     near_error *error) {
    return guarded("near_capabilities_create", error, [&]() -> Done {
        if (Done ok = check_pointer(capabilities, "capabilities"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        auto made = std::make_unique<Capabilities>(Capabilities::probe(real_ports(), *found.value()));
        *capabilities = reinterpret_cast<near_capabilities *>(made.release());
        return {};
    });
}

void near_capabilities_destroy(near_capabilities *capabilities) {
    delete reinterpret_cast<Capabilities *>(capabilities);
}

near_status near_capabilities_get(const near_capabilities *capabilities, int32_t which, near_capability *capability) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(capabilities, "capabilities"); !ok) {
            return ok;
        }
        if (which < 0 || which >= NEAR_CAPABILITY_COUNT) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_output(capability, "near_capability"); !ok) {
            return ok;
        }
        write_struct(capability, public_form(capabilities_of(capabilities)->get(which)));
        return {};
    });
}

near_status near_capabilities_missing(const near_capabilities *capabilities, int32_t *missing, size_t capacity,
                                      size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(capabilities, "capabilities"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(missing, capacity, needed, "missing"); !ok) {
            return ok;
        }
        return write_list(capabilities_of(capabilities)->missing(), missing, capacity, needed, "missing");
    });
}

const char *near_capability_name(int32_t which) {
    return capability_name(which);
}
}
