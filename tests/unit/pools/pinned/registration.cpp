// SPDX-License-Identifier: Apache-2.0
// How long one registration may be, by what the kernel says of itself.
#include "pools/pinned/registration.hpp"

#include "fakes/fake_files.hpp"

#include <gtest/gtest.h>

using namespace nearpool;
using nearpool::fakes::FakeFiles;
using nearpool::pinned::chunk_size;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr std::size_t gib = std::size_t{1} << 30U;
constexpr const char *release_file = "/proc/sys/kernel/osrelease";

std::size_t chunk_on(const char *release, std::size_t asked, std::size_t page_bytes = base_page_bytes()) {
    FakeFiles files;
    files.set(release_file, release);
    return chunk_size(files, asked, page_bytes).bytes;
}

TEST(PinnedChunk, IsUsuallyLong) {
    for (const char *release : {"6.10.14-arch1\n", "6.14.0\n", "6.1.11\n", "5.11.0-1234-generic\n", "5.12.3\n",
                                "7.11.0\n", "16.12.1\n", "6.9.0\n", "6.100.0\n", "6.111.0\n"}) {
        EXPECT_EQ(chunk_on(release, 0), 64 * gib) << release;
        EXPECT_EQ(chunk_on(release, 65 * gib), 64 * gib) << release;
        EXPECT_EQ(chunk_on(release, 3 * gib), 3 * gib) << release;
    }
}

TEST(PinnedChunk, IsLessThanTwoGibibytesWhereTheKernelTakesNoMore) {
    for (const char *release :
         {"6.11.0\n", "6.11.0-29-generic\n", "6.12.34+deb13-amd64\n", "6.13.12\n", "6.13-rc1\n"}) {
        EXPECT_EQ(chunk_on(release, 0), 2 * gib - base_page_bytes()) << release;
        EXPECT_EQ(chunk_on(release, 3 * gib), 2 * gib - base_page_bytes()) << release;
        EXPECT_EQ(chunk_on(release, 2 * gib), 2 * gib - base_page_bytes()) << release;
        EXPECT_EQ(chunk_on(release, gib), gib) << release;
        EXPECT_EQ(chunk_on(release, 0, 2 * mib), 2 * gib - 2 * mib) << release << " whole huge pages, and still less";
        EXPECT_EQ(chunk_on(release, 0, gib), gib) << release;
    }
}

TEST(PinnedChunk, IsUsualWhereTheReleaseSaysNothing) {
    for (const char *release : {"", "\n", "garbage\n", "6", "6.", "6.x\n", "x6.12\n", "-6.12\n"}) {
        EXPECT_EQ(chunk_on(release, 0), 64 * gib) << "\"" << release << "\"";
    }
    FakeFiles files;
    files.refuse(release_file);
    EXPECT_EQ(chunk_size(files, 0, base_page_bytes()).bytes, 64 * gib);
}

TEST(PinnedChunk, IsHalvedDownToAFewMebibytesOfWholePages) {
    FakeFiles files;
    files.set(release_file, "6.8.0\n");
    EXPECT_EQ(chunk_size(files, 0, base_page_bytes()).least, 2 * mib);
    EXPECT_EQ(chunk_size(files, gib, 2 * mib).least, 2 * mib);
    EXPECT_EQ(chunk_size(files, 0, gib).least, gib);
    EXPECT_EQ(chunk_size(files, mib, base_page_bytes()).least, mib) << "what was asked for is less";
}

TEST(PinnedChunk, IsWholePagesAndNeverNone) {
    for (const std::size_t page : {base_page_bytes(), 2 * mib, gib}) {
        for (const std::size_t asked : {std::size_t{1}, page - 1, page, page + 1, 2 * page - 1}) {
            EXPECT_EQ(chunk_on("6.8.0\n", asked, page), page) << asked;
        }
        EXPECT_EQ(chunk_on("6.8.0\n", 2 * page, page), 2 * page);
        EXPECT_EQ(chunk_on("6.8.0\n", SIZE_MAX, page), 64 * gib);
    }
}

} // namespace
