// SPDX-License-Identifier: Apache-2.0
// near_region_create() and what a region says of itself, on any machine.
#include "contract/region_support.hpp"

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>

using namespace nearpool_region_test;

namespace {

uint32_t one_node() {
    return memory_nodes().front();
}

near_status create(std::size_t bytes, const near_region_options *options, Error *error) {
    near_region *region = reinterpret_cast<near_region *>(1);
    const near_status status = near_region_create(nullptr, bytes, options, &region, error);
    if (status == NEAR_OK) {
        near_region_destroy(region);
    } else {
        EXPECT_EQ(region, reinterpret_cast<near_region *>(1)) << "written on failure";
        EXPECT_TRUE(error->says("near_region_create: ")) << error->message;
        EXPECT_EQ(error->status, status);
    }
    return status;
}

// A file of the given length that is gone afterwards.
class File {
public:
    explicit File(std::size_t bytes, const std::string &folder = "/tmp") : path_(folder + "/nearpool-region-XXXXXX") {
        descriptor_ = mkstemp(path_.data());
        EXPECT_GE(descriptor_, 0);
        EXPECT_EQ(ftruncate(descriptor_, static_cast<off_t>(bytes)), 0);
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    ~File() {
        close(descriptor_);
        unlink(path_.c_str());
    }
    const char *path() const { return path_.c_str(); }
    int descriptor() const { return descriptor_; }

private:
    std::string path_;
    int descriptor_ = -1;
};

TEST(Region, WithoutOptionsIsZeroedMemory) {
    near_region *region = nullptr;
    ASSERT_EQ(near_region_create(nullptr, 100000, nullptr, &region, nullptr), NEAR_OK);
    const auto *bytes = static_cast<unsigned char *>(near_region_data(region));
    ASSERT_NE(bytes, nullptr);
    EXPECT_EQ(near_region_bytes(region), 100000U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % page_bytes(), 0U);
    EXPECT_EQ(bytes[0] + bytes[99999], 0);
    near_region_destroy(region);
    near_region_destroy(nullptr);
    EXPECT_EQ(near_region_data(nullptr), nullptr);
    EXPECT_EQ(near_region_bytes(nullptr), 0U);
}

TEST(Region, RefusesBadArguments) {
    const uint32_t node = one_node();
    const uint32_t missing = 4000000;
    Error error;
    EXPECT_EQ(create(0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("zero"));
    EXPECT_EQ(create(SIZE_MAX, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_create(nullptr, 1, nullptr, nullptr, &error), NEAR_E_INVALID);

    const auto with = [&](auto change) {
        Options options;
        change(options);
        return create(4096, &options, &error);
    };
    EXPECT_EQ(with([](Options &o) { o.policy = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.pages = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.prefault = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.backing = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.strict = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.flags = 1U << 31U; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.path = "/tmp"; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.backing = NEAR_BACKING_FILE; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.node_count = 3; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.policy = NEAR_POLICY_PREFERRED; }), NEAR_E_INVALID);
    EXPECT_EQ(with([&](Options &o) {
                  o.nodes = &node;
                  o.node_count = 1;
              }),
              NEAR_E_INVALID); // local takes no nodes
    EXPECT_EQ(with([&](Options &o) {
                  o.policy = NEAR_POLICY_BIND;
                  o.nodes = &node;
              }),
              NEAR_E_EMPTY_SET);
    for (const uint32_t strict : {0U, 1U}) { // no node is no node, in both modes
        EXPECT_EQ(with([&](Options &o) {
                      o.policy = NEAR_POLICY_BIND;
                      o.nodes = &missing;
                      o.node_count = 1;
                      o.strict = strict;
                  }),
                  NEAR_E_NO_NODE);
        EXPECT_TRUE(error.says("4000000")) << error.message;
    }
}

TEST(Region, RefusesOptionsOfAnotherVersion) {
    struct Longer {
        near_region_options known;
        uint64_t tail;
    } longer{};
    longer.known.struct_size = sizeof longer;
    Error error;
    EXPECT_EQ(create(1, &longer.known, &error), NEAR_OK);
    longer.tail = 1;
    EXPECT_EQ(create(1, &longer.known, &error), NEAR_E_VERSION);
    near_region_options none{};
    EXPECT_EQ(create(1, &none, &error), NEAR_E_VERSION);
}

TEST(Region, MoreThanThereIsAddressSpaceIsNoMemory) {
    Error error;
    EXPECT_EQ(create(std::size_t{1} << 60U, nullptr, &error), NEAR_E_NOMEM);
}

// N1, N4, acceptance 6, with real pages.
TEST(Region, StrictBindIsVerified) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.strict = 1;
    const Region region(8 * mib, options);
    const near_placement placement = region.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NONE);
    EXPECT_STREQ(placement.reason, "");
    EXPECT_EQ(placement.near_pages, placement.page_count);
    EXPECT_EQ(placement.page_count, 8 * mib / placement.page_bytes);
    EXPECT_EQ(region.histogram(), (std::map<uint32_t, std::size_t>{{one_node(), placement.page_count}}));
}

// On a node without memory, nothing that is local is near.
bool runs_where_memory_is() {
    const Region region(1, Options());
    return region.placement().reason_code != NEAR_REASON_NO_MEMORY;
}

TEST(Region, EveryPolicyPageSizePrefaultAndBackingIsMemory) {
    for (int32_t policy = NEAR_POLICY_LOCAL; policy <= NEAR_POLICY_SPLIT; policy++) {
        for (int32_t pages = NEAR_PAGES_DEFAULT; pages <= NEAR_PAGES_HUGE; pages++) {
            for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
                Options options(policy, policy == NEAR_POLICY_LOCAL ? std::vector<uint32_t>{} : memory_nodes());
                options.node_count = policy == NEAR_POLICY_PREFERRED ? 1 : options.node_count;
                options.pages = pages;
                options.prefault = pages % 3;
                options.backing = backing;
                const std::size_t bytes = pages == NEAR_PAGES_1G ? 5000 : 3 * mib + 5;
                const Region region(bytes, options);
                ASSERT_NE(region.data(), nullptr);
                std::memset(region.data(), 9, bytes);
                const near_placement placement = region.placement();
                EXPECT_GE(placement.present_pages * placement.page_bytes, bytes);
                EXPECT_NE(placement.level, NEAR_LEVEL_NONE) << text_of(placement);
                EXPECT_TRUE(placement.near_pages == placement.present_pages ||
                            (policy == NEAR_POLICY_LOCAL && !runs_where_memory_is()))
                    << near_policy_name(policy) << ", " << near_pages_name(pages) << ": " << text_of(placement);
            }
        }
    }
}

TEST(Region, WithoutPagesThereIsNothingToVerify) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.prefault = NEAR_PREFAULT_NONE;
    options.pages = NEAR_PAGES_BASE;
    const Region region(16 * page_bytes(), options);
    near_placement placement = region.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_FAULTED) << text_of(placement);
    EXPECT_EQ(placement.present_pages, 0U);
    EXPECT_TRUE(region.histogram().empty());
    std::memset(region.data(), 1, 16 * page_bytes());
    placement = region.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
}

// N11: the last, partial page is part of the region.
TEST(Region, PrefaultHereFaultsInTheLastPartialPageToo) {
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        Options options;
        options.prefault = NEAR_PREFAULT_HERE;
        options.pages = pages;
        const Region region(2 * mib + page_bytes() + 1, options);
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.page_count, 2 * mib / page_bytes() + 2);
        EXPECT_EQ(placement.present_pages, placement.page_count);
    }
}

TEST(Region, ReportsTransparentHugePagesOnlyWhereTheKernelSaysSo) {
    Options options;
    options.pages = NEAR_PAGES_TRANSPARENT;
    const Region region(8 * mib, options);
    const near_placement placement = region.placement();
    if (placement.huge_bytes == 0) {
        EXPECT_EQ(placement.pages, NEAR_PAGES_BASE);
        EXPECT_NE(placement.pages_reason, NEAR_REASON_NONE);
    } else {
        EXPECT_EQ(placement.pages, NEAR_PAGES_TRANSPARENT);
        EXPECT_EQ(placement.pages_reason, NEAR_REASON_NONE);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(region.data()) % (2 * mib), 0U);
    }
    options.pages = NEAR_PAGES_BASE;
    EXPECT_EQ(Region(8 * mib, options).placement().huge_bytes, 0U);
}

TEST(Region, APageSizeThatIsNotToBeHadIsStrict) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.pages = NEAR_PAGES_1G;
    options.strict = 1;
    Error error;
    EXPECT_EQ(create(std::size_t{4000} << 30U, &options, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("1 GiB")) << error.message;
}

TEST(Region, AMemfdCanBeMappedBySomebodyElse) {
    Options options;
    options.backing = NEAR_BACKING_SHARED;
    const Region region(100, options);
    int32_t descriptor = -1;
    ASSERT_EQ(near_region_descriptor(region, &descriptor), NEAR_OK);
    EXPECT_EQ(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    void *other = mmap(nullptr, page_bytes(), PROT_READ, MAP_SHARED, descriptor, 0);
    ASSERT_NE(other, MAP_FAILED);
    region.data()[99] = 77;
    EXPECT_EQ(static_cast<unsigned char *>(other)[99], 77);
    munmap(other, page_bytes());
}

TEST(Region, AnonymousMemoryHasNoDescriptor) {
    const Region region(100, Options());
    int32_t descriptor = -7;
    EXPECT_EQ(near_region_descriptor(region, &descriptor), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(descriptor, -7);
    EXPECT_EQ(near_region_descriptor(region, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_region_descriptor(nullptr, &descriptor), NEAR_E_INVALID);
}

// N13: files.
TEST(Region, AFileIsReadAndWrittenThroughItsPages) {
    const File file(3 * page_bytes());
    Options options;
    options.backing = NEAR_BACKING_FILE;
    options.path = file.path();
    options.file_offset = page_bytes();
    {
        const Region region(2 * page_bytes(), options);
        std::memcpy(region.data(), "near", 4);
        int32_t descriptor = -1;
        EXPECT_EQ(near_region_descriptor(region, &descriptor), NEAR_OK);
        EXPECT_GE(descriptor, 0);
    }
    char text[5] = {};
    EXPECT_EQ(pread(file.descriptor(), text, 4, static_cast<off_t>(page_bytes())), 4);
    EXPECT_STREQ(text, "near");
}

TEST(Region, ARegularFileTakesNoPolicyAndSaysSo) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.backing = NEAR_BACKING_FILE;
    options.path = "/proc/self/exe"; // on a disk wherever the tests are, or on a memory file system
    options.flags = NEAR_REGION_READ_ONLY;
    const Region region(page_bytes(), options);
    const near_placement placement = region.placement();
    if (placement.reason_code != NEAR_REASON_FILE) {
        GTEST_SKIP() << "[disk] the tests lie on a memory file system";
    }
    EXPECT_EQ(placement.level, NEAR_LEVEL_NONE);
    EXPECT_EQ(std::memcmp(region.data(), "\177ELF", 4), 0);
    options.strict = 1;
    Error error;
    EXPECT_EQ(create(page_bytes(), &options, &error), NEAR_E_STRICT);
    EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_BIND, options.nodes, 1, 1, &error), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(near_region_advise(region, 0, 1, NEAR_ADVICE_DISCARD, &error), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(near_region_prefault(region, NEAR_PREFAULT_ON_NODE, &error), NEAR_OK) << error.message;
}

TEST(Region, AFileInMemoryTakesAPolicy) {
    if (access("/dev/shm", W_OK) != 0) {
        GTEST_SKIP() << "[shm] there is no /dev/shm";
    }
    const File file(16 * page_bytes(), "/dev/shm");
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.backing = NEAR_BACKING_FILE;
    options.path = file.path();
    options.strict = 1;
    const Region region(16 * page_bytes(), options);
    EXPECT_EQ(region.placement().level, NEAR_LEVEL_STRICT) << text_of(region.placement());
}

TEST(Region, RefusesFilesThatDoNotFit) {
    const File file(page_bytes());
    Options options;
    options.backing = NEAR_BACKING_FILE;
    options.path = file.path();
    Error error;
    EXPECT_EQ(create(page_bytes() + 1, &options, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says(file.path())) << error.message;
    options.file_offset = page_bytes();
    EXPECT_EQ(create(1, &options, &error), NEAR_E_INVALID);
    options.file_offset = 1;
    EXPECT_EQ(create(1, &options, &error), NEAR_E_INVALID);
    options.file_offset = 0;
    options.path = "/no/such/file";
    EXPECT_EQ(create(1, &options, &error), NEAR_E_SYSTEM);
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_ERRNO);
    EXPECT_EQ(error.native_code, ENOENT);
    options.path = "/tmp";
    EXPECT_EQ(create(1, &options, &error), NEAR_E_SYSTEM);
}

TEST(Region, PlacementAndNodesRefuseBadArguments) {
    const Region region(10 * page_bytes(), Options());
    Error error;
    near_placement placement{};
    EXPECT_EQ(near_region_placement(region, &placement, &error), NEAR_E_VERSION);
    EXPECT_EQ(near_region_placement(region, nullptr, &error), NEAR_E_INVALID);
    placement.struct_size = sizeof placement;
    EXPECT_EQ(near_region_placement(nullptr, &placement, &error), NEAR_E_INVALID);

    near_node_pages nodes[1];
    std::size_t needed = 99;
    EXPECT_EQ(near_region_nodes(nullptr, nodes, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_nodes(region, nodes, 1, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_nodes(region, nullptr, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(needed, 99U);
    EXPECT_EQ(near_region_nodes(region, nullptr, 0, &needed, &error), NEAR_OK);
    EXPECT_GE(needed, 1U);
    needed = 99;
    EXPECT_EQ(near_region_nodes(region, nodes, 0, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_GE(needed, 1U);
}

TEST(Region, OnAnotherMachinesTopologyIsMemoryAndNothingElse) {
    near_topology_options source{};
    source.struct_size = sizeof source;
    source.source = NEAR_TOPOLOGY_SYNTHETIC;
    source.text = "pack:2 numa:4 pu:2";
    near_topology *topology = nullptr;
    ASSERT_EQ(near_topology_create(&source, &topology, nullptr), NEAR_OK);
    Options options(NEAR_POLICY_BIND, {7});
    {
        const Region region(3 * mib, options, NEAR_OK, topology);
        std::memset(region.data(), 1, 3 * mib);
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.level, NEAR_LEVEL_NONE);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_THIS_MACHINE);
        EXPECT_EQ(placement.near_pages, 0U);
        Error error;
        EXPECT_EQ(near_region_migrate(region, 3, nullptr, &error), NEAR_E_UNSUPPORTED);
        EXPECT_EQ(near_region_migrate(region, 8, nullptr, &error), NEAR_E_NO_NODE);
        EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 0, &error), NEAR_OK);
        EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 1, &error), NEAR_E_STRICT);
    }
    options.strict = 1;
    const Region strict(3 * mib, options, NEAR_E_STRICT, topology);
    near_topology_release(topology);
}

TEST(Region, KeepsItsTopologyAlive) {
    near_topology *topology = nullptr;
    near_topology_options source{};
    source.struct_size = sizeof source;
    ASSERT_EQ(near_topology_create(&source, &topology, nullptr), NEAR_OK);
    const Region region(3 * mib, Options(NEAR_POLICY_BIND, {one_node()}), NEAR_OK, topology);
    near_topology_release(topology);
    EXPECT_EQ(region.placement().level, NEAR_LEVEL_STRICT);
}

// N14: one region, many threads.
TEST(Region, AnyThreadMayAskAndChange) {
    const Region region(4 * mib, Options(NEAR_POLICY_INTERLEAVE));
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 20; round++) {
                near_placement placement{};
                placement.struct_size = sizeof placement;
                failures += near_region_placement(region, &placement, nullptr) != NEAR_OK ? 1 : 0;
                const int32_t policy = i % 2 == 0 ? NEAR_POLICY_BIND : NEAR_POLICY_SPLIT;
                failures += near_region_rebind(region, policy, nullptr, 0, 0, nullptr) != NEAR_OK ? 1 : 0;
                failures += near_region_prefault(region, NEAR_PREFAULT_ON_NODE, nullptr) != NEAR_OK ? 1 : 0;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
}

// Exit status of a child that runs `body`.
template <class Body> int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(body());
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

TEST(Region, AChildOfForkHasItsOwnCopyAndCanLookAndChange) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "[fork] ThreadSanitizer allows no threads in a forked child";
#endif
    const Region region(4 * mib, Options(NEAR_POLICY_BIND, {one_node()}));
    std::memset(region.data(), 3, 4 * mib);
    EXPECT_EQ(in_child([&] {
                  std::memset(region.data(), 4, 4 * mib);
                  near_placement placement{};
                  placement.struct_size = sizeof placement;
                  if (near_region_placement(region, &placement, nullptr) != NEAR_OK || placement.near_pages == 0) {
                      return 1;
                  }
                  if (near_region_prefault(region, NEAR_PREFAULT_ON_NODE, nullptr) != NEAR_OK) {
                      return 2;
                  }
                  if (near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 0, nullptr) != NEAR_OK) {
                      return 3;
                  }
                  near_region_destroy(region);
                  near_region *own = nullptr;
                  Options options;
                  return near_region_create(nullptr, 4 * mib, &options, &own, nullptr) == NEAR_OK ? 0 : 4;
              }),
              0);
    EXPECT_EQ(region.data()[4 * mib - 1], 3);
}

TEST(Region, WithNoForkAChildNeitherHasNorUnmapsThePages) {
    Options options;
    options.flags = NEAR_REGION_NO_FORK;
    const Region region(4 * page_bytes(), options);
    EXPECT_EQ(in_child([&] {
                  unsigned char present = 0;
                  if (mincore(region.data(), page_bytes(), &present) == 0) {
                      return 1; // it is there
                  }
                  // Something else takes its place, and must stay.
                  void *other = mmap(region.data(), page_bytes(), PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
                  near_region_destroy(region);
                  std::memset(other, 1, page_bytes());
                  return 0;
              }),
              0);
    region.data()[0] = 1;
}

TEST(Region, GivesEverythingBack) {
    const auto descriptors = [] {
        int count = 0;
        for (int i = 0; i < 256; i++) {
            count += fcntl(i, F_GETFD) >= 0 ? 1 : 0;
        }
        return count;
    };
    const auto round = [] {
        for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
            Options options(NEAR_POLICY_SPLIT);
            options.backing = backing;
            const Region region(64 * mib, options);
        }
    };
    round(); // the crew's threads start
    const std::size_t before = mapped_bytes();
    const int open = descriptors();
    for (int i = 0; i < 5; i++) {
        round();
    }
    EXPECT_LT(mapped_bytes(), before + 64 * mib);
    EXPECT_EQ(descriptors(), open);
}

} // namespace
