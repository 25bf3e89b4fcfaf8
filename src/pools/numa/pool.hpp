// SPDX-License-Identifier: Apache-2.0
// The pool: queues, teams and their life.
#pragma once

#include "base/fork_mark.hpp"
#include "machine/place.hpp"
#include "memory/region.hpp"
#include "pools/numa/loose_failures.hpp"
#include "pools/numa/plan.hpp"
#include "pools/numa/promise.hpp"
#include "pools/numa/team.hpp"

#include <nearpool/numa_pool_run.h>
#include <nearpool/numa_pool_stats.h>

#include <memory>
#include <mutex>

namespace nearpool::numa {

struct PoolOptions {
    Request request;
    uint64_t queue_capacity = 0;
    uint64_t spin_ns = 0;
    uint64_t steal_delay_ns = 0; // NEAR_NONE: never
    numa_pool_thread_fn thread_start = nullptr;
    numa_pool_thread_fn thread_stop = nullptr;
    void *user_data = nullptr;
    uint64_t pinned_limit_bytes = 0; // for who page-locks memory for the pool; 0: the default
    int32_t memory_policy = NUMA_POOL_MEMORY_LOCAL;
    bool process_wide = false; // starts its threads with the first task; cannot be shut down
};

class Pool final : public RefCounted {
public:
    static Result<Ref<Pool>> create(const Ports &ports, Crew &crew, Ref<const Topology> topology,
                                    const PoolOptions &options);

    // The items name `group`, or none where it is nullptr.
    Status submit(uint32_t node, const Item *items, std::size_t count, Group *group);
    // Accepts a task for later. Fails as submit() does; obeys the capacity also in the pool's own tasks.
    Status promise(uint32_t node, const Item &item, Ref<Promise> &promise, Ref<Outlook> outlook = {});
    Done parallel_for(std::size_t begin, std::size_t end, std::size_t grain, numa_pool_range_fn body, void *user_data);
    Done wait_idle(uint64_t timeout_ns);
    Done shutdown(uint64_t timeout_ns, uint64_t *left);
    void destroy();

    Result<std::unique_ptr<Region>> allocate(uint32_t node, std::size_t bytes, const near_region_options &options);

    bool forked() const { return mark_.forked(); }
    bool process_wide() const { return options_.process_wide; }
    // Its destruction comes next: what its tasks ask for from now on could outlive it.
    void begin_end() { ending_.store(true, std::memory_order_release); }
    bool ending() const { return ending_.load(std::memory_order_acquire) || closed_.load(std::memory_order_acquire); }
    const Topology &topology() const { return *topology_; }
    const Plan &plan() const { return plan_; }
    const PoolOptions &options() const { return options_; }
    FutexPort &futex() const { return ports_.futex; }
    const Ports &ports() const { return ports_; }
    bool inside() const; // the caller is one of its threads
    // Its nearest to a node of the topology; NEAR_NODE_UNKNOWN where the topology does not know the node.
    uint32_t nearest_node(uint32_t node) const;

    // That its threads have from who started them, in words; empty: none, or they are not started.
    std::string inherited_policy() const;

    // What is so now. They wait until the threads that were started have looked.
    Enforcement enforcement(); // of all
    Enforcement node_enforcement(std::size_t node);
    numa_pool_counts counts(std::optional<std::size_t> node) const;
    std::vector<uint64_t> steals() const;

    // For workers, groups and promises.
    void pin_worker(Place &place) const; // by itself, when it starts
    std::vector<std::unique_ptr<Team>> &teams() { return teams_; }
    bool finished() const { return finished_.load(std::memory_order_seq_cst); }
    void work_added(Team &home);
    OpenPromises &open_promises() { return open_promises_; }
    LooseFailures &loose_failures() { return loose_failures_; }
    void keep_promise(std::size_t node, const Item &item) noexcept; // one that was open
    void take_promise_back(std::size_t node) noexcept;              // likewise
    void break_promises(const Group &group);                        // the group's
    // It takes no more tasks, and some that it has accepted wait for what no worker does: somebody has to look.
    bool awaits_promises() { return closed_.load(std::memory_order_seq_cst) && open_promises_.any(); }
    void look_after_promises() noexcept;
    static constexpr uint64_t promise_look_ns = 200 * NEAR_MS; // from one look to the next
    void wake_everyone();
    void worker_ready(bool on_its_node);
    void went_idle();
    void worker_left();
    void count_sleeper(bool sleeps);

private:
    Pool(const Ports &ports, Crew &crew, Ref<const Topology> topology, const PoolOptions &options, Plan plan);
    ~Pool() override;

    Done start();
    Done ensure_started() { return started_.load(std::memory_order_acquire) ? Done() : start_late(); }
    Done start_late();
    Done start_threads();
    void log_start();
    Done await_strict();
    void stop_now();
    bool all_ready() const;
    void await_ready();
    void await_submitters();
    void give_up_threads();

    static constexpr uint32_t detached = 1U << 31; // in live_
    static constexpr uint64_t one_idle_worker = 1ULL << 32;

    std::size_t index_of(uint32_t node) const; // SIZE_MAX: none
    std::size_t local_node() const;
    Status store(std::size_t node, const Item *items, std::size_t count, bool bounded);
    Status submit_to_group(Group &group, std::size_t node, const Item *items, std::size_t count, bool bounded);

    bool idle() const;
    uint64_t accepted() const;
    uint64_t ended() const;
    uint64_t unended() const;   // accepted, not ended
    Worker *own_worker() const; // the caller, if it runs a task of this pool
    void close();
    void finish();
    bool await_exit(uint64_t deadline_ns);
    void wait_on(std::atomic<uint32_t> &word, uint32_t expected, uint64_t deadline_ns);
    bool join();

    std::optional<Enforcement> not_started();
    Place::Look look_at(Team &team);
    void add_counts(std::size_t node, numa_pool_counts &sum) const;

    const Ports &ports_;
    Crew &crew_;
    const Ref<const Topology> topology_;
    const PoolOptions options_;
    const Plan plan_;
    const ForkMark mark_;
    std::vector<std::pair<uint32_t, std::size_t>> numbers_; // node number to index, ascending
    std::vector<std::pair<uint32_t, std::size_t>> nearest_; // any node of the topology to the nearest of the pool

    std::vector<std::unique_ptr<Queue>> queues_; // one a node
    std::vector<std::unique_ptr<Team>> teams_;
    OpenPromises open_promises_;
    LooseFailures loose_failures_;
    std::atomic<uint64_t> promises_seen_ns_{0};

    alignas(128) std::atomic<uint32_t> sleepers_{0}; // workers that sleep, in all teams
    // Threads in wait_idle (lower half) and a count of workers that ran out of work (upper half). Whoever comes second
    // of a waiter, a closing thread and a worker that has ended the last task sees what the others wrote.
    alignas(128) std::atomic<uint64_t> idle_{0};
    std::atomic<uint32_t> idle_epoch_{0};
    std::atomic<bool> ending_{false};
    std::atomic<bool> closed_{false};
    std::atomic<bool> finished_{false};
    std::atomic<bool> started_{false};
    std::atomic<uint32_t> live_{0};  // threads that have not left; and whether the last of them ends the pool
    std::atomic<uint32_t> ready_{0}; // threads that have looked where they are
    std::atomic<bool> misplaced_{false};
    std::mutex life_mutex_;                       // starting and joining
    std::optional<std::string> inherited_policy_; // written before the threads start
    uint32_t started_threads_ = 0;
    bool joined_ = false;
};

const char *memory_policy_name(int32_t policy);

} // namespace nearpool::numa
