// SPDX-License-Identifier: Apache-2.0
// The words for kinds and sources.
#include "topology/topology.hpp"

#include <array>

namespace nearpool {
namespace {

constexpr std::array<const char *, NEAR_MEMORY_GPU + 1> kinds{"unknown", "dram", "hbm", "nvm", "cxl", "gpu"};
constexpr std::array<const char *, NEAR_KIND_SOURCE_GUESSED_FROM_GPUS + 1> kind_sources{
    "nobody",       "has CPUs",      "NVIDIA's driver",        "hwloc", "DAX", "CXL",
    "memory tiers", "HMAT, guessed", "number of GPUs, guessed"};
constexpr std::array<const char *, NEAR_CORE_EFFICIENT + 1> core_kinds{"unknown", "performance", "efficient"};

template <class Names> const char *name_in(const Names &names, int32_t value) {
    return names[value > 0 && static_cast<std::size_t>(value) < names.size() ? static_cast<std::size_t>(value) : 0];
}

} // namespace

const char *memory_kind_name(int32_t kind) {
    return name_in(kinds, kind);
}

const char *memory_kind_source_name(int32_t source) {
    return name_in(kind_sources, source);
}

const char *core_kind_name(int32_t kind) {
    return name_in(core_kinds, kind);
}

std::string Topology::basis_text() const {
    struct Part {
        uint32_t bit;
        const char *words;
    };
    std::string text;
    for (const Part &part :
         {Part{NEAR_BASIS_SYSFS, "/sys"}, Part{NEAR_BASIS_AFFINITY, "CPUs of the affinity"},
          Part{NEAR_BASIS_MEMS_ALLOWED, "Mems_allowed"}, Part{NEAR_BASIS_GETCPU, "getcpu()"},
          Part{NEAR_BASIS_XML, "hwloc XML"}, Part{NEAR_BASIS_SYNTHETIC, "a synthetic description"}}) {
        if ((basis_ & part.bit) != 0) {
            text += (text.empty() ? "" : ", ") + std::string(part.words);
        }
    }
    return text;
}

} // namespace nearpool
