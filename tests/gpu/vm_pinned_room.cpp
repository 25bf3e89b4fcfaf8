// SPDX-License-Identifier: Apache-2.0
// Page-locked memory and what a node has: one that is too full, the pool of huge pages, the cache of each node, pages
// that must stay, a child of fork(). In the machine four-nodes of tests/vm.
#include "gpu/vm_pinned.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <sys/mman.h>
#include <sys/wait.h>

using namespace nearpool_gpu;
using namespace nearpool_test;

namespace {

class VmPinnedRoom : public FakeGpu {
protected:
    void SetUp() override {
        NEEDS_MACHINE("four-nodes");
        FakeGpu::SetUp();
        if (!HasFatalFailure()) {
            configure(vm_gpus());
        }
    }
};

// Takes memory of a node until no more than so much is free.
class Filler {
public:
    Filler(uint32_t node, std::size_t leave) {
        const unsigned long mask = 1UL << node;
        while (free_bytes(node) > leave) {
            void *data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (data == MAP_FAILED || ::madvise(data, bytes, MADV_NOHUGEPAGE) != 0 ||
                ::syscall(SYS_mbind, data, bytes, MPOL_PREFERRED, &mask, 8 * sizeof mask + 1, 0) != 0) {
                ADD_FAILURE() << "node " << node << " cannot be filled";
                return;
            }
            std::memset(data, 1, bytes);
            pieces_.push_back(data);
        }
    }
    ~Filler() {
        for (void *piece : pieces_) {
            ::munmap(piece, bytes);
        }
    }
    Filler(const Filler &) = delete;
    Filler &operator=(const Filler &) = delete;

private:
    static constexpr std::size_t bytes = mib;
    std::vector<void *> pieces_;
};

constexpr std::size_t left_free = 24 * mib;
constexpr std::size_t too_much = 48 * mib;

// Starts the threads of the library, whose stacks are no memory that was kept.
void warm_up(numa_pool *workers, device_pool *devices) {
    { const Pinned first(workers, devices, mib, 1); }
    trim_pinned(workers, devices);
}

TEST_F(VmPinnedRoom, OnANodeTooFullItSpillsAndSaysHowMuch) {
    const Devices devices;
    const Pool workers(1);
    warm_up(workers, devices);
    const Filler filler(3, left_free);
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_HUGE}) {
        near_pinned_options options = pinned_options(0, NEAR_PINNED_NO_CACHE);
        options.pages = pages;
        const Pinned pinned(workers, devices, too_much, options, 1);
        ASSERT_NE(pinned.data(), nullptr);
        EXPECT_EQ(pinned.info().method, NEAR_PINNED_PLACED);
        const Histogram seen = pages_of(pinned.data(), pinned.bytes());
        EXPECT_GT(pages_on(seen, 3), 0U) << "nothing is near, though there was room for a part";
        EXPECT_LT(pages_on(seen, 3), pages_in(seen)) << "the node was not full";
        expect_true_report(pinned, 3, seen);
        const near_placement placement = pinned.placement();
        EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE);
        const std::string elsewhere = std::to_string(pages_in(seen) - pages_on(seen, 3));
        EXPECT_NE(std::string(placement.reason).find(elsewhere), std::string::npos) << placement.reason;
        std::memset(pinned.data(), 'x', pinned.bytes());
    }
}

std::size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t all = 0;
    std::size_t resident = 0;
    file >> all >> resident;
    return resident * base_page;
}

// Mappings that can be written and are as large as what was asked for.
int large_mappings() {
    std::ifstream file("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(file, line);) {
        char *rest = nullptr;
        const uint64_t begin = std::strtoull(line.c_str(), &rest, 16);
        const uint64_t end = std::strtoull(rest + 1, &rest, 16);
        count += end - begin >= too_much && std::strncmp(rest, " rw", 3) == 0 ? 1 : 0;
    }
    return count;
}

TEST_F(VmPinnedRoom, OnANodeTooFullStrictKeepsNothing) {
    const Devices devices;
    const Pool workers(1);
    warm_up(workers, devices);
    const std::string held = fake()->held(); // contexts
    const Filler filler(3, left_free);
    const std::size_t free = free_bytes(3);
    const std::size_t resident = resident_bytes();
    const int mappings = large_mappings();
    near_pinned_options options = pinned_options();
    options.strict = 1;
    near_pinned *never = nullptr;
    Error error;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 1, too_much, &options, &never, &error), NEAR_E_STRICT)
        << error.message;
    EXPECT_TRUE(error.says("elsewhere") && error.says("placed: ")) << error.message;
    EXPECT_EQ(never, nullptr);
    EXPECT_EQ(fake()->held(), held);
    EXPECT_EQ(large_mappings(), mappings);
    EXPECT_LT(resident_bytes(), resident + 4 * mib);
    EXPECT_TRUE(eventually([&] { return free_bytes(3) + 4 * mib > free; })) << "the node has less than before";
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
    const Pinned less(workers, devices, 2 * mib, options, 1); // there is room for it still
    ASSERT_NE(less.data(), nullptr);
    expect_all_near(less, 3);
}

// What is idle near one GPU is not near the other, though both could use it.
TEST_F(VmPinnedRoom, TheCacheOfANodeServesTheGpusOfThatNodeAlone) {
    const Devices devices;
    const Pool workers(1);
    std::mt19937 random(5); // NOLINT(cert-msc51-cpp): the same each time
    std::vector<std::pair<uint32_t, Pinned>> live;
    for (int turn = 0; turn < 200; turn++) {
        const auto ordinal = static_cast<int32_t>(random() % 2);
        const std::size_t bytes = 1 + random() % (512 * kib);
        Pinned pinned(workers, devices, bytes, ordinal);
        ASSERT_NE(pinned.data(), nullptr);
        const uint32_t node = vm_gpu_nodes[ordinal];
        const Histogram seen = pages_of(pinned.data(), bytes);
        ASSERT_EQ(pages_on(seen, node), pages_in(seen)) << "device " << ordinal << ", turn " << turn;
        live.emplace_back(node, std::move(pinned));
        if (live.size() > 12) {
            std::swap(live[random() % live.size()], live.back());
            live.pop_back();
        }
    }
    EXPECT_GT(pinned_stats(workers, devices, 2).hits, 10U) << "nothing came from the cache, so nothing was proven";
    EXPECT_GT(pinned_stats(workers, devices, 3).hits, 10U);
    EXPECT_EQ(pinned_stats(workers, devices, 0).held_bytes + pinned_stats(workers, devices, 1).held_bytes, 0U);
}

// Pages of 2 MiB that the kernel keeps apart, reserved as long as this lives.
class HugePool {
public:
    HugePool(uint32_t node, int count)
        : folder_("/sys/devices/system/node/node" + std::to_string(node) + "/hugepages/hugepages-2048kB/") {
        std::ofstream(folder_ + "nr_hugepages") << count << std::flush;
    }
    ~HugePool() { std::ofstream(folder_ + "nr_hugepages") << 0 << std::flush; }
    HugePool(const HugePool &) = delete;
    HugePool &operator=(const HugePool &) = delete;
    int free() const {
        int count = -1;
        std::ifstream(folder_ + "free_hugepages") >> count;
        return count;
    }

private:
    const std::string folder_;
};

TEST_F(VmPinnedRoom, HugePagesOfTheNodeAreUsedAndElsewhereTheReportSaysThatThereAreNone) {
    const Devices devices;
    const Pool workers(1);
    const HugePool pool(2, 6);
    ASSERT_EQ(pool.free(), 6);
    {
        const Pinned pinned(workers, devices, 8 * mib);
        EXPECT_EQ(pinned.info().method, NEAR_PINNED_PLACED);
        EXPECT_EQ(pinned.placement().pages, NEAR_PAGES_2M);
        EXPECT_EQ(pinned.placement().pages_reason, NEAR_REASON_NONE);
        EXPECT_EQ(pinned.placement().page_bytes, 2 * mib);
        EXPECT_EQ(pinned.placement().page_count, 4U);
        EXPECT_EQ(pool.free(), 2);
        expect_all_near(pinned, 2);
        const Pinned other(workers, devices, 8 * mib, 1);
        EXPECT_NE(other.placement().pages, NEAR_PAGES_2M);
        EXPECT_EQ(other.placement().pages_reason, NEAR_REASON_NO_HUGE_PAGES);
        expect_all_near(other, 3);
        const Pinned more(workers, devices, 8 * mib); // two are left there
        EXPECT_NE(more.placement().pages, NEAR_PAGES_2M);
        EXPECT_EQ(more.placement().pages_reason, NEAR_REASON_NO_HUGE_PAGES);
        expect_all_near(more, 2);
    }
    EXPECT_EQ(pool.free(), 2) << "what is idle is page-locked still";
    trim_pinned(workers, devices);
    EXPECT_EQ(pool.free(), 6);
}

TEST_F(VmPinnedRoom, PagesStayWhileTheyAreHeldAndAreGoneAfterATrim) {
    const Devices devices;
    const Pool workers(1);
    warm_up(workers, devices);
    const std::size_t before = free_bytes(2);
    constexpr std::size_t bytes = 16 * mib;
    for (const int32_t way : all_ways) {
        Pinned pinned(workers, devices, bytes, pinned_options(only(way)));
        ASSERT_NE(pinned.data(), nullptr);
        char *data = pinned.data();
        const Histogram all_there{{2, bytes / base_page}};
        for (const bool live : {true, false}) {
            EXPECT_EQ(pages_on(pages_of(data, bytes, 0), 0), 0U) << near_pinned_method_name(way);
            EXPECT_EQ(pages_of(data, bytes), all_there) << near_pinned_method_name(way) << (live ? "" : ", idle");
            pinned.free();
        }
        EXPECT_EQ(trim_pinned(workers, devices), bytes);
        EXPECT_EQ(pages_on(pages_of(data, bytes), 2), 0U) << "what was given back is mapped still";
        EXPECT_TRUE(eventually([&] { return free_bytes(2) + 4 * mib > before; })) << near_pinned_method_name(way);
    }
}

// Bytes of memory that no other process has. (proc(5): smaps_rollup)
std::size_t private_bytes(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/smaps_rollup");
    std::size_t sum = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("Private_", 0) == 0) {
            sum += std::stoull(line.substr(line.find(':') + 1)) * 1024;
        }
    }
    return sum;
}

// What a child costs that lives while its parent writes to all of the memory. Says what the child found there.
std::size_t cost_of_a_child(const Pinned &pinned, int *found) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[1]);
        char byte = 0;
        static_cast<void>(::read(ends[0], &byte, 1)); // until the parent has written
        unsigned char in = 0;
        ::_exit(::mincore(pinned.data(), base_page, &in) == 0 ? pinned.data()[0] : 0);
    }
    std::memset(pinned.data(), 'p', pinned.bytes());
    const std::size_t cost = private_bytes(child);
    ::close(ends[0]);
    ::close(ends[1]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    *found = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return cost;
}

TEST_F(VmPinnedRoom, AChildOfForkDoesNotDoubleIt) {
    const Devices devices;
    const Pool workers(1);
    constexpr std::size_t bytes = 16 * mib;
    for (const int32_t way : {NEAR_PINNED_PLACED, NEAR_PINNED_TOUCHED}) {
        for (const uint32_t flags : {0U, uint32_t{NEAR_PINNED_FORK}}) {
            SCOPED_TRACE(std::string(near_pinned_method_name(way)) + (flags != 0 ? ", for a child" : ""));
            const Pinned pinned(workers, devices, bytes, pinned_options(only(way), flags | NEAR_PINNED_NO_CACHE), 1);
            std::memset(pinned.data(), 'b', bytes);
            int found = -1;
            const std::size_t cost = cost_of_a_child(pinned, &found);
            if (flags == 0) {
                EXPECT_GT(cost, 0U);
                EXPECT_LT(cost, bytes / 2);
                EXPECT_EQ(found, 0) << "the child has the pages";
            } else {
                EXPECT_GE(cost, bytes) << "so the test can tell";
                EXPECT_EQ(found, 'b') << "the child has what was there when it began";
            }
            expect_all_near(pinned, 3);
        }
    }
}

} // namespace
