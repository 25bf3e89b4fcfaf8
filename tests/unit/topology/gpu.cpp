// SPDX-License-Identifier: Apache-2.0
// Which PCI devices are GPUs, by their numbers as machines have them.
#include "topology/gpu.hpp"

#include <gtest/gtest.h>

namespace nearpool::testing {
namespace {

TEST(IsGpu, AreTheMakersOfGpusInAnyClassOfDisplays) {
    for (const uint32_t pci_class : {0x0300U, 0x0302U, 0x0380U}) {
        EXPECT_TRUE(is_gpu({pci_class, 0x10de, 0x2330, ""})) << pci_class;
        EXPECT_TRUE(is_gpu({pci_class, 0x1002, 0x740f, ""})) << pci_class; // MI210
        EXPECT_TRUE(is_gpu({pci_class, 0x8086, 0x0bd5, ""})) << pci_class; // Data Center GPU Max
    }
    EXPECT_TRUE(is_gpu({0x1200, 0x1002, 0x74a1, ""})); // MI300X
    EXPECT_TRUE(is_gpu({0x0300, 0x10de, 0x1b06, "vfio-pci"})) << "lent to a virtual machine";
}

TEST(IsGpu, AreNotTheDisplaysOfConsoles) {
    EXPECT_FALSE(is_gpu({0x0300, 0x1a03, 0x2000, "ast"}));     // ASPEED
    EXPECT_FALSE(is_gpu({0x0300, 0x102b, 0x0534, "mgag200"})); // Matrox G200
    EXPECT_FALSE(is_gpu({0x0300, 0x19e5, 0x1711, "hibmc-drm"}));
    EXPECT_FALSE(is_gpu({0x0300, 0x18ca, 0x0020, ""}));       // XGI
    EXPECT_FALSE(is_gpu({0x0300, 0x1002, 0x515e, "radeon"})); // ES1000
    EXPECT_FALSE(is_gpu({0x0300, 0x1002, 0x4752, ""}));       // Rage XL
}

TEST(IsGpu, AreNotEmulatedDisplays) {
    EXPECT_FALSE(is_gpu({0x0300, 0x1234, 0x1111, "bochs-drm"}));
    EXPECT_FALSE(is_gpu({0x0300, 0x1013, 0x00b8, "cirrus"}));
    EXPECT_FALSE(is_gpu({0x0300, 0x1b36, 0x0100, "qxl"}));
    EXPECT_FALSE(is_gpu({0x0300, 0x15ad, 0x0405, "vmwgfx"}));
    EXPECT_FALSE(is_gpu({0x0380, 0x1af4, 0x1050, "virtio-pci"}));
}

TEST(IsGpu, OfAnUnknownMakerIsByItsDriverElseByItsClass) {
    EXPECT_TRUE(is_gpu({0x0300, 0, 0, "nvidia"}));
    EXPECT_TRUE(is_gpu({0x1200, 0xfffe, 0x0001, "habanalabs"}));
    EXPECT_FALSE(is_gpu({0x0300, 0, 0, ""})) << "as likely a console's";
    for (const uint32_t pci_class : {0x0302U, 0x0380U, 0x1200U}) {
        EXPECT_TRUE(is_gpu({pci_class, 0, 0, ""})) << pci_class;
    }
}

TEST(IsGpu, AreNotAcceleratorsOfOtherKindsNorOtherClasses) {
    EXPECT_FALSE(is_gpu({0x1200, 0x10ee, 0x5000, "xclmgmt"})); // an FPGA
    EXPECT_FALSE(is_gpu({0x1200, 0x8086, 0x09c4, ""}));        // another
    EXPECT_FALSE(is_gpu({0x0403, 0x10de, 0x10f0, ""}));        // a graphics card's sound
    EXPECT_FALSE(is_gpu({0x0502, 0x8086, 0x0d93, "cxl_pci"})); // memory on CXL
    EXPECT_FALSE(is_gpu({0, 0, 0, ""}));
}

} // namespace
} // namespace nearpool::testing
