// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace nearpool {
namespace {

// What reads may throw.
struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
};

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

    int filesystem(int descriptor, long *magic, std::size_t *block_bytes) override {
        struct statfs facts {};
        if (::fstatfs(descriptor, &facts) < 0) {
            return -errno;
        }
        *magic = static_cast<long>(facts.f_type);
        *block_bytes = static_cast<std::size_t>(facts.f_bsize);
        return 0;
    }

    int read(const std::string &path, std::string *text) override {
        std::string result;
        const int error = read_parts(path, [&](const char *part, std::size_t count) {
            result.append(part, count);
            return true;
        });
        if (error == 0) {
            *text = std::move(result);
        }
        return error;
    }

    int read_parts(const std::string &path, const Take &take) override {
        const int descriptor = open(path, O_RDONLY | O_NONBLOCK); // a pipe without a writer has nothing to say
        if (descriptor < 0) {
            return descriptor;
        }
        const Closer closer{descriptor};
        std::array<char, 4096> part{};
        ssize_t count = 0;
        while ((count = ::read(descriptor, part.data(), part.size())) != 0) {
            if (count < 0 && errno != EINTR) {
                return -errno;
            }
            if (count > 0 && !take(part.data(), static_cast<std::size_t>(count))) {
                break;
            }
        }
        return 0;
    }

    int list(const std::string &path, std::vector<std::string> *names) override {
        const std::unique_ptr<DIR, int (*)(DIR *)> folder(::opendir(path.c_str()), ::closedir);
        if (folder == nullptr) {
            return -errno;
        }
        std::vector<std::string> result;
        for (const dirent *entry = ::readdir(folder.get()); entry != nullptr; entry = ::readdir(folder.get())) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") {
                result.push_back(name);
            }
        }
        *names = std::move(result);
        return 0;
    }

    int read_link(const std::string &path, std::string *target) override {
        std::array<char, 4096> text{}; // PATH_MAX; those of /sys are far shorter
        const ssize_t count = ::readlink(path.c_str(), text.data(), text.size());
        if (count < 0) {
            return -errno;
        }
        target->assign(text.data(), static_cast<std::size_t>(count));
        return 0;
    }
};

} // namespace

FilePort &real_files() {
    static auto *const port = new RealFiles;
    return *port;
}

} // namespace nearpool
