// SPDX-License-Identifier: Apache-2.0
// A task that is accepted now and queued later, when something has happened that no thread here waits for.
//
// From the beginning it counts as accepted, is pending in its group, and has a place and memory in its node's queue, so
// that keeping it cannot fail. Whoever is first decides: keep() lets the task run; break_off(), the end of the last
// reference, and the cancel of its group let it be discarded, by a worker too; withdraw() makes it one that was never
// accepted. After that all of these do nothing. A pool that is shut down waits for its promises as for tasks that run,
// and its idle workers look after them. A promise keeps the memory of its pool alive, not its threads. In a child of
// fork() nothing happens.
#pragma once

#include "base/ref.hpp"
#include "pools/numa/item.hpp"
#include "pools/numa/queue.hpp"

#include <mutex>
#include <vector>

namespace nearpool::numa {

class Pool;

// Who knows of what a promise waits for, where nobody may come to say that it has happened.
class Outlook : public RefCounted {
public:
    // Settles the promise where that is due. From a worker of a pool that is shut down, again and again.
    virtual void look() noexcept = 0;
};

class Promise final : public RefCounted {
public:
    Promise(Ref<Pool> pool, std::size_t node, const Item &item, Ref<Outlook> outlook);

    // From any thread: they take short locks, and wake a worker. True: this call has decided.
    bool keep() noexcept { return settle(item_); }
    bool break_off() noexcept { return settle(Item{only_discard, item_.discard, item_.user_data, item_.group}); }
    // As if it had never been accepted: what the task carries stays its owner's, and nothing counts it.
    bool withdraw() noexcept;

private:
    friend class OpenPromises;
    ~Promise() override;
    bool take() noexcept;
    bool settle(const Item &item) noexcept;

    const Ref<Pool> pool_;
    const std::size_t node_;
    const Item item_;
    const Ref<Outlook> outlook_; // or none

    // Guarded by the lock of the list that it is in.
    bool open_ = false;
    Promise *previous_ = nullptr;
    Promise *next_ = nullptr;
};

// The promises of a pool that are not decided. It holds no references: a promise takes itself out before it goes.
class OpenPromises {
public:
    // As Queue::promise(). One step for who cancels the group: `cancelled` says whether that has looked at the promises
    // before this one was among them.
    Status add(Promise &promise, Queue &queue, Queue::Rules rules, bool &cancelled);

    // False: it is not here any more.
    bool take(Promise &promise) noexcept;

    bool any();
    std::vector<Ref<Outlook>> outlooks();

    // Takes those of a group, and calls give(node, item) for each, under the lock: a promise may go once it is taken.
    // How many there were.
    template <class Give> std::size_t take_all(const Group &group, Give &&give) {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::size_t count = 0;
        for (Promise *promise = first_; promise != nullptr;) {
            Promise *next = promise->next_;
            if (promise->item_.group == &group) {
                unlink(*promise);
                give(promise->node_, promise->item_);
                count++;
            }
            promise = next;
        }
        return count;
    }

private:
    void unlink(Promise &promise) noexcept;

    std::mutex mutex_;
    Promise *first_ = nullptr;
};

} // namespace nearpool::numa
