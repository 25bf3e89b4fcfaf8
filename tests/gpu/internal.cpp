// SPDX-License-Identifier: Apache-2.0
// What the public interface cannot reach: a pool of streams near the end of all ids, and how often it looks at a slot.
#include "gpu/support.hpp"
#include "pools/stream/pool.hpp"

#include <set>

using namespace nearpool_gpu;
namespace stream = nearpool::stream;
namespace device = nearpool::device;

namespace {

nearpool::Ref<stream::Pool> pool_with(stream::Tickets &tickets, int32_t mode, uint32_t streams = 2) {
    static nearpool::cuda::Loader loader(nearpool::real_ports());
    auto machine = nearpool::Topology::discover(nearpool::real_ports()).take();
    auto devices = device::Pool::create(loader, std::move(machine), device::Options()).take();
    stream::Options options;
    options.mode = mode;
    options.max_streams = streams;
    options.max_leases = streams;
    return stream::Pool::create(nearpool::real_ports().futex, tickets, std::move(devices), 0, options).take();
}

class StreamIds : public FakeGpu {};
class StreamSlots : public FakeGpu {};

TEST_F(StreamIds, EndAndNeverBeginAgain) {
    for (const int32_t mode : {STREAM_POOL_EXCLUSIVE, STREAM_POOL_SHARED}) {
        stream::Tickets tickets(stream::ticket_end - 300);
        const auto pool = pool_with(tickets, mode);
        std::set<uint64_t> ids;
        uint64_t id = 0;
        near_status status = NEAR_OK;
        while ((status = pool->acquire(&id)) == NEAR_OK) {
            ASSERT_TRUE(ids.insert(id).second) << "the id " << id << " came twice";
            ASSERT_EQ(pool->give_back(id), NEAR_OK);
            ASSERT_LE(ids.size(), 300U);
        }
        EXPECT_EQ(status, NEAR_E_CAPACITY);
        EXPECT_GT(ids.size(), 200U) << "a slot keeps a block of ids; all are of no use to another";
        EXPECT_EQ(pool->info().lent, 0U);
        for (const uint64_t ended : {*ids.begin(), *ids.rbegin()}) {
            CUstream stream = nullptr;
            EXPECT_EQ(pool->resolve(ended, &stream), NEAR_E_STALE);
        }
        EXPECT_EQ(pool->acquire(&id), NEAR_E_CAPACITY);
    }
}

// Filling a pool looks at each slot once, a full pool at none, and a lease at one, whatever the size.
TEST_F(StreamSlots, AreLookedAtAsOftenAsTheyAreLent) {
    for (const int32_t mode : {STREAM_POOL_EXCLUSIVE, STREAM_POOL_SHARED, STREAM_POOL_APPEND_ONLY}) {
        for (const uint32_t size : {1U, 17U, 1000U, 8000U}) {
            stream::Tickets tickets;
            const auto pool = pool_with(tickets, mode, size);
            std::vector<uint64_t> ids(size);
            for (uint64_t &id : ids) {
                ASSERT_EQ(pool->acquire(&id), NEAR_OK);
            }
            EXPECT_EQ(pool->looks(), size) << "to fill it";
            uint64_t id = 0;
            EXPECT_EQ(pool->acquire(&id), NEAR_E_CAPACITY);
            EXPECT_EQ(pool->looks(), size) << "to find it full";
            EXPECT_EQ(pool->usage().leased_streams, size);
            EXPECT_EQ(pool->info().lent, size);
            EXPECT_EQ(pool->looks(), size) << "to count what is lent";
            if (mode == STREAM_POOL_APPEND_ONLY) {
                continue;
            }
            for (uint64_t &each : ids) {
                ASSERT_EQ(pool->give_back(each), NEAR_OK);
                ASSERT_EQ(pool->acquire(&each), NEAR_OK);
            }
            EXPECT_EQ(pool->looks(), 2 * size) << "to lend each again";
        }
    }
}

} // namespace
