// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nearpool::numa {

class Group;
class Pool;

// A worker of another pool than a group's, from before its last look until it has slept. It lies on the worker's stack:
// sleeping needs no memory.
class ForeignWait {
public:
    ForeignWait(const Group &group, Pool &sleeper);
    ~ForeignWait();
    ForeignWait(const ForeignWait &) = delete;
    ForeignWait &operator=(const ForeignWait &) = delete;

    // Wakes those who sleep for the group that was at this address.
    static void wake(const Group *group) noexcept;

private:
    friend class ForeignWaits;
    const Group *group_;
    Pool &sleeper_;
    ForeignWait *previous_ = nullptr;
    ForeignWait *next_ = nullptr;
};

} // namespace nearpool::numa
