// SPDX-License-Identifier: Apache-2.0
#include "sys/constants.hpp"
#include "sys/ports.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace nearpool;

namespace {

class Files : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "nearpool-files-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        file_ = folder_ + "/numbers";
        std::ofstream(file_) << std::string(10000, '7');
    }
    void TearDown() override {
        ::unlink(file_.c_str());
        ::rmdir(folder_.c_str());
    }

    FilePort &files_ = real_ports().files;
    std::string folder_;
    std::string file_;
};

TEST_F(Files, AreReadWhole) {
    std::string text;
    ASSERT_EQ(files_.read(file_, &text), 0);
    EXPECT_EQ(text, std::string(10000, '7'));
    ASSERT_EQ(files_.read("/proc/self/comm", &text), 0); // of no size
    EXPECT_FALSE(text.empty());
}

TEST_F(Files, ThatCannotBeReadLeaveTheTextAlone) {
    std::string text = "before";
    EXPECT_EQ(files_.read(folder_ + "/absent", &text), -ENOENT);
    EXPECT_EQ(files_.read(folder_, &text), -EISDIR);
    EXPECT_EQ(files_.read(file_ + "/under", &text), -ENOTDIR);
    EXPECT_EQ(text, "before");
}

TEST_F(Files, AreListedWithoutTheFolderItself) {
    std::vector<std::string> names;
    ASSERT_EQ(files_.list(folder_, &names), 0);
    EXPECT_EQ(names, std::vector<std::string>{"numbers"});
    EXPECT_EQ(files_.list(folder_ + "/absent", &names), -ENOENT);
    EXPECT_EQ(files_.list(file_, &names), -ENOTDIR);
    EXPECT_EQ(names.size(), 1U);
}

TEST_F(Files, LinksAreReadAsTheyAreWritten) {
    const std::string link = folder_ + "/link";
    ASSERT_EQ(::symlink("../nowhere/at/all", link.c_str()), 0);
    std::string target = "before";
    EXPECT_EQ(files_.read_link(folder_ + "/absent", &target), -ENOENT);
    EXPECT_EQ(files_.read_link(file_, &target), -EINVAL);
    EXPECT_EQ(target, "before");
    EXPECT_EQ(files_.read_link(link, &target), 0);
    EXPECT_EQ(target, "../nowhere/at/all");
    ::unlink(link.c_str());
}

TEST_F(Files, AreOpenedForThisProgramOnly) {
    const int descriptor = files_.open(file_, O_RDWR);
    ASSERT_GE(descriptor, 0);
    EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
    uint64_t bytes = 0;
    ASSERT_EQ(files_.size(descriptor, &bytes), 0);
    EXPECT_EQ(bytes, 10000U);
    ASSERT_EQ(files_.truncate(descriptor, 20000), 0);
    ASSERT_EQ(files_.size(descriptor, &bytes), 0);
    EXPECT_EQ(bytes, 20000U);
    EXPECT_EQ(files_.close(descriptor), 0);
    EXPECT_EQ(files_.close(descriptor), -EBADF);
}

TEST_F(Files, SayWhyNot) {
    EXPECT_EQ(files_.open(folder_ + "/absent", O_RDONLY), -ENOENT);
    EXPECT_EQ(files_.open(folder_, O_RDWR), -EISDIR);
    uint64_t bytes = 0;
    long magic = 0;
    std::size_t block = 0;
    EXPECT_EQ(files_.size(-1, &bytes), -EBADF);
    EXPECT_EQ(files_.filesystem(-1, &magic, &block), -EBADF);
    const int descriptor = files_.open(file_, O_RDONLY);
    ASSERT_GE(descriptor, 0);
    EXPECT_EQ(files_.truncate(descriptor, 0), -EINVAL);
    files_.close(descriptor);
}

TEST_F(Files, AreReadInPartsAsLongAsAnyoneWants) {
    std::size_t parts = 0;
    EXPECT_EQ(files_.read_parts("/proc/self/smaps",
                                [&](const char *, std::size_t) {
                                    parts++;
                                    return parts < 2;
                                }),
              0);
    EXPECT_EQ(parts, 2U);
    EXPECT_EQ(files_.read_parts(folder_ + "/absent", [](const char *, std::size_t) { return true; }), -ENOENT);
}

TEST(MemoryPort, AMemfdLiesOnAMemoryFileSystemAndIsClosedOnExec) {
    const Ports &ports = real_ports();
    const int descriptor = ports.memory.create_memfd("test", sys::memfd_close_on_exec);
    ASSERT_GE(descriptor, 0);
    EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
    long magic = 0;
    std::size_t block = 0;
    EXPECT_EQ(ports.files.filesystem(descriptor, &magic, &block), 0);
    EXPECT_EQ(block, base_page_bytes());
    EXPECT_EQ(magic, sys::filesystem_tmpfs);
    EXPECT_EQ(ports.files.truncate(descriptor, base_page_bytes()), 0);
    void *address = nullptr;
    ASSERT_EQ(ports.memory.map(base_page_bytes(), sys::protect_read_write, sys::map_shared, descriptor, 0, &address),
              0);
    *static_cast<volatile char *>(address) = 5;
    EXPECT_EQ(ports.memory.unmap(address, base_page_bytes()), 0);
    ports.files.close(descriptor);
}

TEST(MemoryPort, SaysWhyNotAndLeavesTheAddressAlone) {
    MemoryPort &memory = real_ports().memory;
    const int flags = sys::map_private | sys::map_anonymous;
    void *address = &memory;
    EXPECT_EQ(memory.map(0, sys::protect_read_write, flags, -1, 0, &address), -EINVAL);
    EXPECT_EQ(memory.map(SIZE_MAX / 2, sys::protect_read_write, flags, -1, 0, &address), -ENOMEM);
    EXPECT_EQ(memory.map(4096, sys::protect_read, sys::map_private, -1, 0, &address), -EBADF);
    EXPECT_EQ(address, &memory);
    EXPECT_EQ(memory.create_memfd("test", ~0U), -EINVAL);
}

TEST(MemoryPort, OpensAPartOfAReservation) {
    MemoryPort &memory = real_ports().memory;
    const std::size_t page = base_page_bytes();
    const int flags = sys::map_private | sys::map_anonymous;
    void *address = nullptr;
    ASSERT_EQ(memory.map(2 * page, sys::protect_none, flags, -1, 0, &address), 0);
    ASSERT_EQ(memory.protect(address, page, sys::protect_read_write), 0);
    EXPECT_EQ(memory.protect(static_cast<char *>(address) + 1, page, sys::protect_read), -EINVAL);
    *static_cast<volatile char *>(address) = 1;
    EXPECT_EQ(memory.advise(address, page, sys::advice_dont_need), 0);
    EXPECT_EQ(*static_cast<volatile char *>(address), 0);
    EXPECT_EQ(memory.advise(address, page, -1), -EINVAL);
    EXPECT_EQ(memory.unmap(static_cast<char *>(address) + 1, page), -EINVAL);
    EXPECT_EQ(memory.unmap(address, 2 * page), 0);
}

} // namespace
