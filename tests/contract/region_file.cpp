// SPDX-License-Identifier: Apache-2.0
// Regions with something behind them: a memfd, a file.
#include "contract/region_support.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>

using namespace nearpool_region_test;

namespace {

uint32_t one_node() {
    return nodes_with_room().front();
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

TEST(RegionFile, AMemfdCanBeMappedBySomebodyElse) {
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

TEST(RegionFile, AnonymousMemoryHasNoDescriptor) {
    const Region region(100, Options());
    int32_t descriptor = -7;
    EXPECT_EQ(near_region_descriptor(region, &descriptor), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(descriptor, -7);
    EXPECT_EQ(near_region_descriptor(region, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_region_descriptor(nullptr, &descriptor), NEAR_E_INVALID);
}

// N13: files.
TEST(RegionFile, AFileIsReadAndWrittenThroughItsPages) {
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

TEST(RegionFile, ARegularFileTakesNoPolicyAndSaysSo) {
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

TEST(RegionFile, AFileInMemoryTakesAPolicy) {
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

// Pages of the pool, as many as the file has.
class Pool {
public:
    Pool() : file_("/proc/sys/vm/nr_hugepages") {
        std::ifstream before("/proc/sys/vm/nr_hugepages");
        before >> before_;
        file_ << before_ + 8 << std::flush;
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;
    ~Pool() { file_ << before_ << std::flush; }
    bool has(int count) const {
        std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        int free = 0;
        file >> free;
        return free >= count;
    }

private:
    std::ofstream file_;
    int before_ = 0;
};

TEST(RegionFile, AFileOfThePoolHasItsPages) {
    const Pool pool;
    if (!pool.has(8) || access("/dev/hugepages", W_OK) != 0) {
        GTEST_SKIP() << "[huge pages] this process may not change the pool, or no hugetlbfs is mounted";
    }
    const File file(8 * mib, "/dev/hugepages");
    Options options(NEAR_POLICY_PREFERRED, {one_node()});
    options.backing = NEAR_BACKING_FILE;
    options.path = file.path();
    options.pages = NEAR_PAGES_2M;
    options.file_offset = 2 * mib;
    {
        const Region region(3 * mib, options); // two pages of the file
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.pages, NEAR_PAGES_2M);
        EXPECT_EQ(placement.page_bytes, 2 * mib);
        EXPECT_EQ(placement.page_count, 2U);
        EXPECT_EQ(placement.present_pages, 2U) << text_of(placement);
        EXPECT_EQ(placement.huge_bytes, 4 * mib);
        region.data()[4 * mib - 1] = 7;
        Error error;
        EXPECT_EQ(near_region_advise(region, 0, 2 * mib, NEAR_ADVICE_DISCARD, &error), NEAR_E_UNSUPPORTED);
    }
    {
        options.file_offset = 0;
        const Region again(8 * mib, options);
        EXPECT_EQ(again.data()[6 * mib - 1], 7);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(again.data()) % (2 * mib), 0U);
    }
    Error error;
    options.file_offset = mib;
    EXPECT_EQ(create(2 * mib, &options, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("2097152")) << error.message;
    options.file_offset = 0;
    options.pages = NEAR_PAGES_BASE;
    EXPECT_EQ(Region(2 * mib, options).placement().pages_reason, NEAR_REASON_FILE);
    options.strict = 1;
    EXPECT_EQ(create(2 * mib, &options, &error), NEAR_E_STRICT);
}

TEST(RegionFile, RefusesFilesThatDoNotFit) {
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
    options.file_offset = static_cast<uint64_t>(INT64_MAX) - page_bytes() + 1;
    EXPECT_EQ(create(page_bytes(), &options, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("overflow")) << error.message;
    options.file_offset = 0;
    options.path = "/no/such/file";
    EXPECT_EQ(create(1, &options, &error), NEAR_E_SYSTEM);
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_ERRNO);
    EXPECT_EQ(error.native_code, ENOENT);
    options.path = "/tmp";
    EXPECT_EQ(create(1, &options, &error), NEAR_E_SYSTEM);
}

} // namespace
