// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a mapping of this process.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace nearpool_test {

// "VmFlags: rd wr mr mw me dc ac " of the mapping that holds the address; empty: this kernel shows none.
inline std::string mapping_flags(const void *address) {
    std::ifstream file("/proc/self/smaps");
    bool within = false;
    for (std::string line; std::getline(file, line);) {
        uintptr_t begin = 0;
        uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
            const auto wanted = reinterpret_cast<uintptr_t>(address);
            within = begin <= wanted && wanted < end;
        } else if (within && line.rfind("VmFlags:", 0) == 0) {
            return line + " ";
        }
    }
    return "";
}

} // namespace nearpool_test
