// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <unistd.h>

namespace nearpool {

const Ports &real_ports() {
    static const auto *const ports = new Ports{real_memory(), real_policy(),  real_affinity(), real_futex(),
                                               real_files(),  real_threads(), real_libraries()};
    return *ports;
}

std::size_t base_page_bytes() {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

} // namespace nearpool
