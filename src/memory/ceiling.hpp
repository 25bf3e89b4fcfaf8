// SPDX-License-Identifier: Apache-2.0
// The memory that the control groups of this process still let it have. Pages that are faulted in beyond it are no
// error: the kernel kills. So who faults in looks first, and in between.
#pragma once

#include "base/error.hpp"
#include "sys/control_groups.hpp"

#include <mutex>
#include <optional>

namespace nearpool {

class Ceiling {
public:
    struct Room {
        std::size_t bytes = SIZE_MAX; // that may be faulted in, less a margin for others
        uint64_t limit_bytes = 0;
        std::string file; // that sets it

        std::string text() const; // "… leaves 12 MiB"
        // NEAR_E_NOMEM: so many bytes cannot be "faulted in", with the limit and its file.
        Error refuses(std::size_t wanted, const char *what) const;
    };

    // Finds the groups that have a limit now.
    explicit Ceiling(FilePort &files);

    // Of the tightest, read anew: max - (current - inactive_file - active_file + dirty and writeback -
    // slab_reclaimable). What a process has in the page cache makes room by itself.
    Room room() const;

    // Whether so many bytes may be faulted in now. All of the process that were let in and have not ended count: while
    // it is they who may take the room, it waits. end() follows each yes.
    bool begin(std::size_t bytes);
    void end(std::size_t bytes);
    std::optional<Room> refusal(); // what the first no rests on

private:
    FilePort &files_;
    std::vector<ControlGroup> limited_;
    std::mutex mutex_; // guards what follows; several helpers fault in for one
    std::optional<Room> refusal_;
};

// Bytes that are let in, as one step.
class Admission {
public:
    Admission(Ceiling &ceiling, std::size_t bytes) : ceiling_(ceiling), bytes_(bytes), given_(ceiling.begin(bytes)) {}
    ~Admission() {
        if (given_) {
            ceiling_.end(bytes_);
        }
    }
    Admission(const Admission &) = delete;
    Admission &operator=(const Admission &) = delete;
    bool given() const { return given_; }

private:
    Ceiling &ceiling_;
    const std::size_t bytes_;
    const bool given_;
};

// Whether a request of so many bytes is to be looked at: small ones are summed up until they are worth a look.
bool is_due(std::size_t bytes);

// How many more huge pages of a size the groups let this process fault in; nothing: none limits it. `file` is which
// does. (What they let it reserve, if they limit that, a mapping that was made has passed.)
std::optional<uint64_t> huge_page_room(FilePort &files, std::size_t page_bytes, std::string *file);

} // namespace nearpool
