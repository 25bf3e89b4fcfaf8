// SPDX-License-Identifier: Apache-2.0
// What the contract tests of numa_pool share: handles that give themselves back, tasks from lambdas, machines made up,
// and a latch. Through the public headers alone.
#pragma once

#include "support/limits.hpp"

#include <nearpool/nearpool.h>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SANITIZE_THREAD__)
#define NEARPOOL_TEST_SLOW 10 // times that this build is slower
#elif defined(__SANITIZE_ADDRESS__)
#define NEARPOOL_TEST_SLOW 3
#else
#define NEARPOOL_TEST_SLOW 1
#endif

// A test that changes its process for good: it runs in a process of its own, under a name that the program does not run
// by itself.
#define ALONE_TEST(suite, name)                                                                                        \
    TEST(suite, name) {                                                                                                \
        const nearpool_test::Alone alone("DISABLED_" #suite "." #name);                                                \
        if (alone.skipped()) {                                                                                         \
            GTEST_SKIP() << alone.reason();                                                                            \
        }                                                                                                              \
        EXPECT_EQ(alone.status(), 0) << alone.output();                                                                \
    }                                                                                                                  \
    TEST(DISABLED_##suite, name)

// A child of fork() that makes threads is more than ThreadSanitizer can follow.
#if defined(__SANITIZE_THREAD__)
#define NEEDS_THREADS_IN_A_CHILD() GTEST_SKIP() << "[fork] ThreadSanitizer allows no threads in a forked child"
#else
#define NEEDS_THREADS_IN_A_CHILD() static_cast<void>(0)
#endif

namespace nearpool_test {

// Times that what runs here is slower than an optimised build on real hardware: to scale how much a test does.
inline int slowness() {
    return NEARPOOL_TEST_SLOW * (std::getenv("NEARPOOL_VM_MACHINE") != nullptr ? 10 : 1);
}

struct Error : near_error {
    Error() : near_error{} { struct_size = sizeof(near_error); }
    bool says(const char *text) const { return std::strstr(message, text) != nullptr; }
};

// Time in which something that must not happen could happen.
inline void give_it_time() {
    std::this_thread::sleep_for(std::chrono::milliseconds(30 * NEARPOOL_TEST_SLOW));
}

// The clock of the time-outs: a wait that was given a time may last longer, never shorter.
class Stopwatch {
public:
    uint64_t ns() const {
        return static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count());
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Latch {
public:
    void open() {
        const std::lock_guard<std::mutex> lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        waiting_++;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
    }
    // Until so many wait, or have waited.
    bool await_waiting(int count) {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::nanoseconds(long_enough_ns), [&] { return waiting_ >= count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    int waiting_ = 0;
};

struct MadeNode {
    uint32_t number;
    uint32_t package;
    std::vector<uint32_t> cpus; // none: memory only
};

class Topology {
public:
    // This machine.
    Topology() = default;
    // An hwloc synthetic description.
    explicit Topology(const std::string &description);
    // Nodes with distances, row by row; all CPUs below 64, all nodes too.
    Topology(const std::vector<MadeNode> &nodes, const std::vector<uint32_t> &distances);
    Topology(Topology &&other) noexcept : topology_(std::exchange(other.topology_, nullptr)) {}
    Topology &operator=(Topology &&) = delete;
    ~Topology() { near_topology_release(topology_); }

    operator const near_topology *() const { return topology_; } // NOLINT(google-explicit-constructor)

private:
    near_topology *topology_ = nullptr;
};

// Two packages of two nodes: distances 10, 12 in the package, 20 and 22 outside, as the machine tests/vm four-nodes.
Topology four_nodes();

inline numa_pool_options options_for(const near_topology *topology, uint32_t workers_per_node = 1,
                                     int32_t steal_policy = NUMA_POOL_STEAL_NEAREST) {
    numa_pool_options options{};
    options.struct_size = sizeof options;
    options.topology = topology;
    options.workers_per_node = workers_per_node;
    options.steal_policy = steal_policy;
    return options;
}

class Pool {
public:
    explicit Pool(const numa_pool_options &options) {
        Error error;
        EXPECT_EQ(numa_pool_create(&options, &pool_, &error), NEAR_OK) << error.message;
    }
    explicit Pool(uint32_t workers_per_node) : Pool(options_for(nullptr, workers_per_node)) {}
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;
    ~Pool() { destroy(); }

    void destroy() { numa_pool_destroy(std::exchange(pool_, nullptr)); }
    numa_pool *detach() { return std::exchange(pool_, nullptr); }
    operator numa_pool *() const { return pool_; } // NOLINT(google-explicit-constructor)

private:
    numa_pool *pool_ = nullptr;
};

class Group {
public:
    explicit Group(numa_pool *pool) {
        Error error;
        EXPECT_EQ(numa_pool_group_create(pool, &group_, &error), NEAR_OK) << error.message;
    }
    Group(const Group &) = delete;
    Group &operator=(const Group &) = delete;
    ~Group() { numa_pool_group_destroy(group_); }
    operator numa_pool_group *() const { return group_; } // NOLINT(google-explicit-constructor)

private:
    numa_pool_group *group_ = nullptr;
};

// A task made of a lambda; on the heap until it has run or is discarded.
struct Job {
    std::function<near_status()> body;
    std::function<void()> discarded;

    static near_status run(void *user_data) {
        const std::unique_ptr<Job> own(static_cast<Job *>(user_data));
        return own->body();
    }
    static void discard(void *user_data) {
        const std::unique_ptr<Job> own(static_cast<Job *>(user_data));
        if (own->discarded) {
            own->discarded();
        }
    }
};

inline near_status submit_job(numa_pool *pool, uint32_t node, numa_pool_group *group, std::function<near_status()> body,
                              std::function<void()> discarded = nullptr) {
    auto job = std::make_unique<Job>(Job{std::move(body), std::move(discarded)});
    const near_task task{Job::run, Job::discard, job.get()};
    const near_status status = numa_pool_submit_tasks(pool, node, &task, 1, group);
    if (status == NEAR_OK) {
        static_cast<void>(job.release());
    }
    return status;
}

// For bodies that return nothing.
template <class Body> near_status submit(numa_pool *pool, uint32_t node, Body body, numa_pool_group *group = nullptr) {
    return submit_job(pool, node, group, [body = std::move(body)]() mutable {
        body();
        return near_status{NEAR_OK};
    });
}

inline near_status succeed(void *) {
    return NEAR_OK;
}

inline near_status wait_idle(numa_pool *pool) {
    return numa_pool_wait_idle(pool, long_enough_ns, nullptr);
}

inline near_status wait_group(numa_pool_group *group, near_error *error = nullptr) {
    return numa_pool_group_wait(group, long_enough_ns, error);
}

inline numa_pool_counts counts_of(numa_pool *pool, uint32_t node = NEAR_NODE_UNKNOWN) {
    numa_pool_counts counts{};
    counts.struct_size = sizeof counts;
    EXPECT_EQ(numa_pool_get_counts(pool, node, &counts), NEAR_OK);
    return counts;
}

inline numa_pool_group_counts counts_of_group(numa_pool_group *group) {
    numa_pool_group_counts counts{};
    counts.struct_size = sizeof counts;
    EXPECT_EQ(numa_pool_group_get_counts(group, &counts), NEAR_OK);
    return counts;
}

inline numa_pool_info info_of(numa_pool *pool) {
    numa_pool_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(numa_pool_get_info(pool, &info), NEAR_OK);
    return info;
}

inline numa_pool_node_info node_info_of(numa_pool *pool, uint32_t node) {
    numa_pool_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(numa_pool_get_node_info(pool, node, &info), NEAR_OK);
    return info;
}

std::vector<uint32_t> nodes_of(numa_pool *pool);

// Row by row: [row * nodes + column] are the column's tasks that the row's workers ran.
std::vector<uint64_t> steals_of(numa_pool *pool);

// On every node: accepted = run_local + run_remote + discarded, and the matrix says the same.
void expect_counts_add_up(numa_pool *pool);

uint32_t current_node();
uint32_t current_worker();

// Threads of this process, by their names.
std::vector<std::string> thread_names();
std::size_t count_threads(const std::string &prefix);

// The kernel may show a thread for a moment after it was joined.
inline bool no_worker_is_left() {
    return eventually([] { return count_threads("numa-w") == 0; });
}
inline bool no_more_threads_than(std::size_t count) {
    return eventually([count] { return thread_names().size() <= count; });
}

// Runs in a child of fork(), which ends without destructors. 0: no expectation of the body failed; 1: one did, or had
// before; 255: the child was killed.
int in_child(const std::function<void()> &body);

// One test of this program, run in a process of its own.
class Alone {
public:
    explicit Alone(const std::string &test);

    int status() const { return status_; } // 255: the process was killed
    bool skipped() const { return status_ == exit_skipped; }
    std::string reason() const; // why it was skipped, with the capability in front
    std::string output() const; // indented

private:
    static constexpr int exit_skipped = 77; // tests/support/main.cpp

    int status_ = 255;
    std::vector<std::string> lines_;
};

} // namespace nearpool_test
