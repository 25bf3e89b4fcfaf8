// SPDX-License-Identifier: Apache-2.0
// Really locks pages in memory, as the driver does: they cannot be moved while they are locked.
#pragma once

#include <cstddef>
#include <memory>

namespace fakes::cuda {

/// Pages that are locked until this goes: registered buffers of an io_uring of their own.
class Pinned {
public:
    Pinned(const Pinned &) = delete;
    Pinned &operator=(const Pinned &) = delete;
    ~Pinned();

    /// nullptr where the kernel refuses it.
    static std::shared_ptr<Pinned> pin(void *memory, std::size_t bytes);

private:
    explicit Pinned(int ring) : ring_(ring) {}
    int ring_;
};

enum class Populate {
    done,
    not_mapped,
    no_memory,
};

/// Faults pages in on the calling thread.
Populate populate(void *memory, std::size_t bytes, bool read_only);

} // namespace fakes::cuda
