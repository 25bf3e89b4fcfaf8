// SPDX-License-Identifier: Apache-2.0
#include "machine/device_node.hpp"

#include <nearpool/device_map.h>

extern "C" {

const char *near_node_source_name(int32_t source) {
    return nearpool::node_source_name(source);
}
}
