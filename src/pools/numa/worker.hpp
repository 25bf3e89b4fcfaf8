// SPDX-License-Identifier: Apache-2.0
// One worker thread: finds tasks, runs them, sleeps when there are none, counts what it did.
#pragma once

#include "base/status.hpp"
#include "machine/place.hpp"
#include "pools/numa/deque.hpp"
#include "pools/numa/stack.hpp"
#include "pools/numa/team.hpp"
#include "pools/numa/watch.hpp"

#include <atomic>
#include <pthread.h>
#include <vector>

namespace nearpool::numa {

class Pool;

// A task that is running on this thread; the one that it interrupted, by waiting, is `outer`.
struct Frame {
    Frame *outer = nullptr;
    const Group *group = nullptr;
    bool has_failure = false;
    char failure[failure_capacity]; // only written when a task fails
};

// What one worker has counted. Written by the worker alone, read by anybody.
struct WorkerCounts {
    explicit WorkerCounts(std::size_t nodes) : ran(nodes), failed(nodes), discarded(nodes) {}

    std::vector<std::atomic<uint64_t>> ran; // of each node's tasks
    std::vector<std::atomic<uint64_t>> failed;
    std::vector<std::atomic<uint64_t>> discarded;
    std::atomic<uint64_t> sent{0};  // tasks that it sent to its own node
    std::atomic<uint64_t> ended{0}; // tasks that it has run or discarded, with everything that belongs to that
    std::atomic<uint64_t> wakeups{0};
    std::atomic<uint64_t> busy_ns{0};
    std::atomic<uint64_t> busy_since{0}; // 0: not busy

    static void add(std::atomic<uint64_t> &counter, uint64_t amount) {
        counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_release);
    }
};

class alignas(128) Worker {
public:
    Worker(Pool &pool, Team &team, uint32_t index);

    // The calling thread's while it runs tasks, or nullptr.
    static Worker *current();
    static Frame *current_frame();
    static const Pool *pool_of_thread(); // also in the callbacks at the thread's start and end

    Pool &pool() const { return pool_; }
    Team &team() const { return team_; }
    uint32_t index() const { return index_; }
    Deque &deque() { return deque_; }
    const WorkerCounts &counts() const { return counts_; }
    Place &place() { return place_; } // its pin
    pthread_t &thread() { return thread_; }
    static void *entry(void *worker);

    // The worker itself. Sends tasks to its own node; false: no room in its deque.
    bool send(const Item *items, std::size_t count);

    // Whether a task of the group is running on this worker, also below another.
    bool runs_task_of(const Group *group) const;

    // Runs other tasks until the group has no pending ones. False: the deadline has passed.
    bool help_until_done(Group &group, uint64_t deadline_ns);

    // Runs one other task. False: there is none that it may take.
    bool help_once();

private:
    enum class Search {
        found,
        finished,
        done,
        timed_out
    };

    void start_up();
    void run();
    bool find(Found &found);
    bool take_sent(Found &found);
    bool take_from_siblings(Found &found);
    bool take_from_afar(Found &found);
    bool take_overdue(std::size_t victim, Found &found);

    // Looks for work until there is some, the pool has finished, or what is waited for has come.
    Search search(Found &found, Group *awaited, uint64_t deadline_ns);
    Search look_around(Found &found, Group *awaited, uint64_t deadline_ns);
    bool spin(Found &found, Group *awaited);
    void sleep(Group *awaited, uint64_t deadline_ns);
    bool nothing_to_do(Group *awaited);
    uint64_t watch_victims();
    void end_watches();
    void leave_search(Search result);

    void execute(const Found &found);
    Status call(const Item &item, Frame &frame);

    Pool &pool_;
    Team &team_;
    const uint32_t index_;
    pthread_t thread_{};
    Place place_;
    Deque deque_;
    WorkerCounts counts_;
    uint32_t turn_ = 0;
    Stack stack_;
    std::vector<Watch> watches_; // of the team's victims, in their order
    std::vector<Team *> watched_;
};

} // namespace nearpool::numa
