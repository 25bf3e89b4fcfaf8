// SPDX-License-Identifier: Apache-2.0
// Which PCI devices are GPUs to compute on. The class alone does not tell: the chip that draws a server's console is a
// display controller as a graphics card is, and an accelerator without a screen is "other" or none at all.
#pragma once

#include <cstdint>
#include <string>

namespace nearpool {

struct PciIdentity {
    uint32_t pci_class = 0; // base and sub class: 0x0302
    uint32_t vendor = 0;    // 0: not known
    uint32_t device = 0;    // 0: not known
    std::string driver;     // the kernel's; empty: none, or not known
};

bool is_gpu(const PciIdentity &identity);

} // namespace nearpool
