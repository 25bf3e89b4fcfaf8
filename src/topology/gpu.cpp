// SPDX-License-Identifier: Apache-2.0
#include "topology/gpu.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace nearpool {
namespace {

constexpr uint32_t class_vga = 0x0300;
constexpr uint32_t class_3d = 0x0302;
constexpr uint32_t class_display_other = 0x0380;
constexpr uint32_t class_accelerator = 0x1200;

constexpr uint32_t vendor_amd = 0x1002;
constexpr uint32_t vendor_nvidia = 0x10de;
constexpr uint32_t vendor_intel = 0x8086;

template <class T, std::size_t N> bool is_one_of(const std::array<T, N> &all, const T &one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

// A driver of accelerators, which sits on no other chip. "radeon" is not among them: it drives console chips too.
bool drives_accelerators(std::string_view driver) {
    static constexpr std::array<std::string_view, 6> drivers = {"nvidia", "nouveau", "amdgpu",
                                                                "i915",   "xe",      "habanalabs"};
    return is_one_of(drivers, driver);
}

bool makes_gpus(uint32_t vendor) {
    return vendor == vendor_amd || vendor == vendor_nvidia || vendor == vendor_intel;
}

// AMD's (ATI's) chips for the consoles of servers, all of before its first chip that computes: the Rage family, the
// RV100 and the ES1000.
bool is_console_chip(const PciIdentity &identity) {
    static constexpr std::array<uint32_t, 4> radeons = {0x5159, 0x515a, 0x515e, 0x5969};
    const bool rage = identity.device >= 0x4742 && identity.device <= 0x475a;
    return identity.vendor == vendor_amd && (rage || is_one_of(radeons, identity.device));
}

} // namespace

bool is_gpu(const PciIdentity &identity) {
    const bool driven = drives_accelerators(identity.driver);
    switch (identity.pci_class) {
    case class_3d:
        return true;
    case class_vga: // of a maker that is not known, more often a console's than not
        return driven || (makes_gpus(identity.vendor) && !is_console_chip(identity));
    case class_display_other: // emulated displays too
        return driven || identity.vendor == 0 || makes_gpus(identity.vendor);
    case class_accelerator: // Intel's are FPGAs and for neural networks alone
        return driven || identity.vendor == 0 || identity.vendor == vendor_amd || identity.vendor == vendor_nvidia;
    default:
        return false;
    }
}

} // namespace nearpool
