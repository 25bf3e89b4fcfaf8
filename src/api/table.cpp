// SPDX-License-Identifier: Apache-2.0
#include <nearpool/api.h>

namespace {

constexpr near_api table = {
#include "api/table.inc"
};

} // namespace

extern "C" const near_api *near_api_get(uint32_t abi_major, size_t needed_size) {
    return abi_major == NEAR_ABI_MAJOR && needed_size <= sizeof(near_api) ? &table : nullptr;
}
