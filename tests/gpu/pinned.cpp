// SPDX-License-Identifier: Apache-2.0
// Page-locked memory on any driver: it is there, and says where it is.
#include "gpu/pinned_support.hpp"

#include <cstring>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedMemory : public Gpu {};

TEST_F(PinnedMemory, IsThereAndSaysWhereItIs) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 3 * mib + 5);
    ASSERT_NE(pinned.data(), nullptr);
    EXPECT_EQ(pinned.bytes(), 3 * mib + 5);
    pinned.fill('x');
    const near_pinned_info info = pinned.info();
    EXPECT_EQ(info.ordinal, 0);
    EXPECT_EQ(info.bytes, 3 * mib + 5);
    EXPECT_GE(info.span_bytes, info.bytes);
    EXPECT_GE(info.chunk_count, 1U);
    const near_placement placement = pinned.placement();
    EXPECT_EQ(placement.present_pages, placement.page_count);
    EXPECT_GE(placement.page_count * placement.page_bytes, info.bytes);
}

} // namespace
