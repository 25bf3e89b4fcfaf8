// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/tickets.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace nearpool::stream {
namespace {

TEST(Tickets, AreGivenOnceEachAndEnd) {
    Tickets tickets(ticket_end - 600);
    std::vector<std::set<uint64_t>> taken(4);
    std::vector<std::thread> threads;
    for (auto &mine : taken) {
        threads.emplace_back([&] {
            for (TicketBlock block = tickets.take(); !block.empty(); block = tickets.take()) {
                for (; !block.empty(); block.next++) {
                    mine.insert(block.next);
                }
            }
        });
    }
    std::set<uint64_t> all;
    std::size_t count = 0;
    for (std::size_t i = 0; i < threads.size(); i++) {
        threads[i].join();
        count += taken[i].size();
        all.insert(taken[i].begin(), taken[i].end());
    }
    EXPECT_EQ(count, 600U);
    EXPECT_EQ(all.size(), 600U);
    EXPECT_EQ(*all.begin(), ticket_end - 600);
    EXPECT_EQ(*all.rbegin(), ticket_end - 1);
    EXPECT_TRUE(tickets.take().empty());
}

TEST(Tickets, BeginAboveTheDefaultStream) {
    Tickets tickets;
    EXPECT_EQ(tickets.take().next, 1U);
}

} // namespace
} // namespace nearpool::stream
