// SPDX-License-Identifier: Apache-2.0
// The fakes keep the rules that they stand for: a test through a fake that is wrong proves nothing.
#include "fakes/ports.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <thread>

using namespace nearpool;
using namespace nearpool::fakes;

namespace {

constexpr int anonymous = sys::map_private | sys::map_anonymous;

void *mapped(const Ports &ports, std::size_t pages) {
    void *address = nullptr;
    EXPECT_EQ(ports.memory.map(pages * base_page_bytes(), sys::protect_read_write, anonymous, -1, 0, &address), 0);
    return address;
}

void *page(void *address, std::size_t index) {
    return static_cast<char *>(address) + index * base_page_bytes();
}

TEST(FailingPorts, FailTheCallThatWasNamedAndNoOther) {
    FailingPorts failing;
    failing.fail_nth(Call::files_read, 2, EIO);
    FilePort &files = failing.ports().files;
    std::string text;
    EXPECT_EQ(files.read("/proc/self/comm", &text), 0);
    EXPECT_EQ(files.read("/proc/self/comm", &text), -EIO);
    EXPECT_EQ(files.read("/proc/self/comm", &text), 0);
    EXPECT_EQ(failing.calls(Call::files_read), 3U);
    EXPECT_EQ(failing.calls(), 3U);
    EXPECT_EQ(failing.failures(), 1U);
}

TEST(FailingPorts, FailAStepWhicheverItIs) {
    FailingPorts failing;
    failing.fail_step(2, ENOMEM);
    void *address = mapped(failing.ports(), 1);
    EXPECT_EQ(failing.ports().memory.unmap(address, base_page_bytes()), 0); // giving back is no step
    NumberSet cpus;
    EXPECT_EQ(failing.ports().affinity.get(&cpus), -ENOMEM);
    EXPECT_EQ(failing.ports().affinity.get(&cpus), 0);
    EXPECT_EQ(failing.steps(), 3U);
}

TEST(FailingPorts, ForbidLikeAFilterUntilToldOtherwise) {
    FailingPorts failing;
    failing.forbid_policies(EPERM);
    int mode = 0;
    NumberSet nodes;
    EXPECT_EQ(failing.ports().policy.get_thread(&mode, &nodes), -EPERM);
    EXPECT_EQ(failing.ports().policy.set_thread(sys::policy_default, {}), -EPERM);
    EXPECT_EQ(failing.ports().policy.move_pages(0, nullptr, nullptr, nullptr, 0), -EPERM);
    failing.fail_nothing();
    EXPECT_EQ(failing.ports().policy.set_thread(sys::policy_default, {}), 0);
}

TEST(FailingPorts, KnowWhatIsHeld) {
    FailingPorts failing;
    const Ports &ports = failing.ports();
    const std::size_t unit = base_page_bytes();
    void *address = mapped(ports, 4);
    EXPECT_EQ(failing.held().mapped_bytes, 4 * unit);
    ports.memory.unmap(page(address, 1), unit);
    EXPECT_EQ(failing.held().mapped_bytes, 3 * unit);
    const int descriptor = ports.files.open("/dev/null", O_RDONLY);
    EXPECT_EQ(failing.held().descriptors, 1U);
    pthread_t thread{};
    ports.threads.start(
        &thread, [](void *) -> void * { return nullptr; }, nullptr);
    EXPECT_EQ(failing.held().threads, 1U);
    ports.threads.join(thread);
    ports.files.close(descriptor);
    ports.memory.unmap(address, 4 * unit);
    EXPECT_EQ(failing.held(), Held{});
}

TEST(FakeFiles, LieOverTheRealOnes) {
    FakeFiles files;
    std::string text;
    files.set("/sys/made/up", "5\n");
    files.refuse("/proc/self/comm", EACCES);
    files.set_folder("/sys/made", {"up"});
    files.hide("/proc/sys");
    std::vector<std::string> names;
    EXPECT_EQ(files.read("/sys/made/up", &text), 0);
    EXPECT_EQ(text, "5\n");
    EXPECT_EQ(files.read("/proc/self/comm", &text), -EACCES);
    EXPECT_EQ(files.list("/sys/made", &names), 0);
    EXPECT_EQ(names, std::vector<std::string>{"up"});
    EXPECT_EQ(files.read("/proc/sys/kernel/ostype", &text), -ENOENT);
    EXPECT_EQ(files.read("/proc/self/status", &text), 0);
    EXPECT_NE(text.find("Name:"), std::string::npos);
}

class MadeUp : public testing::Test {
protected:
    FakeMachine machine_{{{0, {0, 1}, 4}, {2, {4, 5}, 4}, {3, {}, 0}}};
    Ports ports_ = machine_.ports();
    const std::size_t unit_ = base_page_bytes();
};

TEST_F(MadeUp, ThreadsRunWhereTheyArePinned) {
    uint32_t cpu = 0;
    uint32_t node = 0;
    ASSERT_EQ(ports_.affinity.set({4}), 0);
    ports_.affinity.current(&cpu, &node);
    EXPECT_EQ(cpu, 4U);
    EXPECT_EQ(node, 2U);
    NumberSet cpus;
    std::thread([&] { ports_.affinity.get(&cpus); }).join();
    EXPECT_EQ(cpus, NumberSet({0, 1, 4, 5})) << "another thread's pin";
    EXPECT_EQ(ports_.affinity.set({9}), -EINVAL);
    machine_.nodes().allow_cpus({0});
    EXPECT_EQ(ports_.affinity.set({0, 4}), 0);
    ports_.affinity.get(&cpus);
    EXPECT_EQ(cpus, NumberSet{0});
}

TEST_F(MadeUp, PreferredSpillsWhenTheNodeIsFull) {
    void *address = mapped(ports_, 6);
    ASSERT_EQ(ports_.policy.bind(address, 6 * unit_, sys::policy_preferred, {2}, 0), 0);
    ASSERT_EQ(ports_.memory.advise(address, 6 * unit_, sys::advice_populate_write), 0);
    EXPECT_EQ(machine_.node_of(page(address, 3)), 2);
    EXPECT_EQ(machine_.node_of(page(address, 4)), 0);
    EXPECT_EQ(machine_.nodes().room(2), 0U);
    ports_.memory.unmap(address, 6 * unit_);
    EXPECT_EQ(machine_.nodes().room(2), 4U);
    EXPECT_EQ(machine_.nodes().room(0), 4U);
}

TEST_F(MadeUp, ABindWithoutRoomKills) {
    void *address = mapped(ports_, 6);
    ASSERT_EQ(ports_.policy.bind(address, 6 * unit_, sys::policy_bind, {2}, 0), 0);
    EXPECT_EQ(ports_.memory.advise(address, 6 * unit_, sys::advice_populate_write), -ENOMEM);
    EXPECT_EQ(machine_.nodes().kills(), 1U);
    ports_.memory.unmap(address, 6 * unit_);
}

TEST_F(MadeUp, NodesThatAreAbsentOrWithoutMemoryCannotBeBoundTo) {
    void *address = mapped(ports_, 1);
    EXPECT_EQ(ports_.policy.bind(address, unit_, sys::policy_bind, {1}, 0), -EINVAL);
    EXPECT_EQ(ports_.policy.bind(address, unit_, sys::policy_bind, {3}, 0), -EINVAL);
    EXPECT_EQ(ports_.policy.bind(address, unit_, sys::policy_bind, {}, 0), -EINVAL);
    ports_.memory.unmap(address, unit_);
}

TEST_F(MadeUp, PagesMoveUnlessTheyAreRefusedOrThereIsNoRoom) {
    void *address = mapped(ports_, 2);
    ASSERT_EQ(ports_.memory.advise(address, unit_, sys::advice_populate_write), 0);
    int state = 0;
    int target = 2;
    machine_.nodes().refuse_moves(1);
    EXPECT_EQ(ports_.policy.move_pages(1, &address, &target, &state, sys::move_own), 1);
    EXPECT_EQ(state, -EBUSY);
    EXPECT_EQ(ports_.policy.move_pages(1, &address, &target, &state, sys::move_own), 0);
    EXPECT_EQ(machine_.node_of(address), 2);
    EXPECT_LT(machine_.node_of(page(address, 1)), 0);
    target = 3;
    EXPECT_EQ(ports_.policy.move_pages(1, &address, &target, &state, sys::move_own), 1);
    EXPECT_EQ(state, -ENOMEM);
    target = 9;
    EXPECT_EQ(ports_.policy.move_pages(1, &address, &target, &state, sys::move_own), -ENODEV);
    ports_.memory.unmap(address, 2 * unit_);
}

TEST_F(MadeUp, APageTouchedDirectlyGetsItsNodeAtTheFirstLook) {
    void *address = mapped(ports_, 1);
    *static_cast<volatile char *>(address) = 1;
    std::thread([&] {
        ports_.affinity.set({5});
        EXPECT_EQ(machine_.node_of(address), 2);
    }).join();
    EXPECT_EQ(machine_.node_of(address), 2);
    ports_.memory.unmap(address, unit_);
}

TEST_F(MadeUp, InterleaveGoesRoundTheNodes) {
    void *address = mapped(ports_, 4);
    ASSERT_EQ(ports_.policy.bind(address, 4 * unit_, sys::policy_interleave, {0, 2}, 0), 0);
    ASSERT_EQ(ports_.memory.advise(address, 4 * unit_, sys::advice_populate_write), 0);
    for (std::size_t i = 0; i + 1 < 4; i++) {
        EXPECT_NE(machine_.node_of(page(address, i)), machine_.node_of(page(address, i + 1)));
    }
    ports_.memory.unmap(address, 4 * unit_);
}

} // namespace
