// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace nearpool {
namespace {

class RealFiles final : public FilePort {
public:
    int open(const std::string &path, int flags) override {
        const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
        return descriptor < 0 ? -errno : descriptor;
    }

    int close(int descriptor) override { return ::close(descriptor) < 0 ? -errno : 0; }

    int truncate(int descriptor, uint64_t bytes) override {
        return ::ftruncate(descriptor, static_cast<off_t>(bytes)) < 0 ? -errno : 0;
    }

    int size(int descriptor, uint64_t *bytes) override {
        struct stat facts {};
        if (::fstat(descriptor, &facts) < 0) {
            return -errno;
        }
        *bytes = static_cast<uint64_t>(facts.st_size);
        return 0;
    }

    int filesystem(int descriptor, long *magic) override {
        struct statfs facts {};
        if (::fstatfs(descriptor, &facts) < 0) {
            return -errno;
        }
        *magic = static_cast<long>(facts.f_type);
        return 0;
    }

    int read(const std::string &path, std::string *text) override {
        const int descriptor = open(path, O_RDONLY);
        if (descriptor < 0) {
            return descriptor;
        }
        std::array<char, 4096> part{};
        std::string result;
        ssize_t count = 0;
        while ((count = ::read(descriptor, part.data(), part.size())) > 0) {
            result.append(part.data(), static_cast<std::size_t>(count));
        }
        const int error = count < 0 ? -errno : 0;
        ::close(descriptor);
        if (error == 0) {
            *text = std::move(result);
        }
        return error;
    }

    int list(const std::string &path, std::vector<std::string> *names) override {
        DIR *folder = ::opendir(path.c_str());
        if (folder == nullptr) {
            return -errno;
        }
        std::vector<std::string> result;
        for (const dirent *entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") {
                result.push_back(name);
            }
        }
        ::closedir(folder);
        *names = std::move(result);
        return 0;
    }
};

} // namespace

FilePort &real_files() {
    static auto *const port = new RealFiles;
    return *port;
}

} // namespace nearpool
