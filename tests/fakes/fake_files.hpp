// SPDX-License-Identifier: Apache-2.0
// Files that a test writes in words, over those that are really there.
#pragma once

#include "sys/ports.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace nearpool::fakes {

class FakeFiles : public FilePort {
public:
    explicit FakeFiles(FilePort &inner = real_ports().files) : inner_(inner) {}

    void set(const std::string &path, std::string text) {
        set(path, [text = std::move(text)] { return text; });
    }

    // The text is made anew by each read.
    void set(const std::string &path, std::function<std::string()> text) {
        const std::lock_guard<std::mutex> lock(mutex_);
        entries_[path] = Entry{0, std::move(text), {}, false, {}};
    }

    // Of a link that was set before: what it leads to.
    void set_folder(const std::string &path, std::vector<std::string> names) {
        const std::lock_guard<std::mutex> lock(mutex_);
        Entry &entry = entries_[path];
        entry = Entry{0, nullptr, std::move(names), true, std::move(entry.target)};
    }

    void set_link(const std::string &path, const std::string &target) {
        const std::lock_guard<std::mutex> lock(mutex_);
        entries_[path] = Entry{0, nullptr, {}, false, target};
    }

    // Opening, reading and listing answer -error.
    void refuse(const std::string &path, int error = ENOENT) {
        const std::lock_guard<std::mutex> lock(mutex_);
        entries_[path] = Entry{error, nullptr, {}, false, {}};
    }

    // All files are of this kind of file system.
    void claim_filesystem(long magic, std::size_t block_bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        magic_ = magic;
        block_bytes_ = block_bytes;
    }

    // Everything under the path that was not set is absent.
    void hide(const std::string &prefix) {
        const std::lock_guard<std::mutex> lock(mutex_);
        hidden_.push_back(prefix);
    }

    int open(const std::string &path, int flags) override {
        const Entry entry = find(path);
        return entry.error != 0 ? -entry.error : inner_.open(path, flags);
    }
    int close(int descriptor) override { return inner_.close(descriptor); }
    int truncate(int descriptor, uint64_t bytes) override { return inner_.truncate(descriptor, bytes); }
    int size(int descriptor, uint64_t *bytes) override { return inner_.size(descriptor, bytes); }
    int filesystem(int descriptor, long *magic, std::size_t *block_bytes) override {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (magic_ == 0) {
            return inner_.filesystem(descriptor, magic, block_bytes);
        }
        *magic = magic_;
        *block_bytes = block_bytes_;
        return 0;
    }

    int read(const std::string &path, std::string *text) override {
        const Entry entry = find(path);
        if (entry.error != 0) {
            return -entry.error;
        }
        if (entry.folder) {
            return -EISDIR;
        }
        if (!entry.text) {
            return inner_.read(path, text);
        }
        *text = entry.text();
        return 0;
    }

    int read_parts(const std::string &path, const Take &take) override {
        const Entry entry = find(path);
        if (entry.error != 0) {
            return -entry.error;
        }
        if (!entry.text) {
            return inner_.read_parts(path, take);
        }
        const std::string text = entry.text();
        constexpr std::size_t most = 100; // lines straddle parts
        for (std::size_t begin = 0; begin < text.size(); begin += most) {
            if (!take(text.data() + begin, std::min(most, text.size() - begin))) {
                break;
            }
        }
        return 0;
    }

    int list(const std::string &path, std::vector<std::string> *names) override {
        const Entry entry = find(path);
        if (entry.error != 0) {
            return -entry.error;
        }
        if (entry.text) {
            return -ENOTDIR;
        }
        if (!entry.folder) {
            return inner_.list(path, names);
        }
        *names = entry.names;
        return 0;
    }

    int read_link(const std::string &path, std::string *target) override {
        const Entry entry = find(path);
        if (entry.error != 0) {
            return -entry.error;
        }
        if (entry.target.empty() && (entry.text || entry.folder)) {
            return -EINVAL;
        }
        if (entry.target.empty()) {
            return inner_.read_link(path, target);
        }
        *target = entry.target;
        return 0;
    }

private:
    struct Entry {
        int error = 0;
        std::function<std::string()> text;
        std::vector<std::string> names;
        bool folder = false;
        std::string target;
    };

    Entry find(const std::string &path) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto place = entries_.find(path);
        if (place != entries_.end()) {
            return place->second;
        }
        Entry entry;
        for (const std::string &prefix : hidden_) {
            entry.error = path.compare(0, prefix.size(), prefix) == 0 ? ENOENT : entry.error;
        }
        return entry;
    }

    FilePort &inner_;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::vector<std::string> hidden_;
    long magic_ = 0; // as the real ones are
    std::size_t block_bytes_ = 0;
};

} // namespace nearpool::fakes
