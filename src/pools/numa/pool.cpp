// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/pool.hpp"

#include "base/clock.hpp"
#include "machine/isolation.hpp"
#include "machine/quota.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/worker.hpp"

#include <algorithm>
#include <climits>

namespace nearpool::numa {
namespace {

constexpr uint64_t default_spin_ns = 5 * NEAR_US;
constexpr uint64_t default_steal_delay_ns = NEAR_MS;

PoolOptions with_defaults(PoolOptions options) {
    options.spin_ns = options.spin_ns == 0 ? default_spin_ns : options.spin_ns == NEAR_NONE ? 0 : options.spin_ns;
    options.steal_delay_ns = options.steal_delay_ns == 0 ? default_steal_delay_ns : options.steal_delay_ns;
    return options;
}

// What a node that is not in the pool's list means for NUMA_POOL_NODE_LOCAL: the nearest that is.
std::vector<std::pair<uint32_t, std::size_t>> nearest_nodes(const Topology &topology, const Plan &plan) {
    std::vector<std::pair<uint32_t, std::size_t>> result;
    for (const Node &node : topology.nodes()) {
        for (const uint32_t near : topology.nodes_by_distance(node.number)) {
            if (const std::optional<std::size_t> index = plan.find(near); index) {
                result.emplace_back(node.number, *index);
                break;
            }
        }
    }
    return result;
}

std::size_t look_up(const std::vector<std::pair<uint32_t, std::size_t>> &table, uint32_t number) {
    const auto place = std::lower_bound(table.begin(), table.end(), std::make_pair(number, std::size_t{0}));
    return place != table.end() && place->first == number ? place->second : SIZE_MAX;
}

} // namespace

Pool::Pool(const Ports &ports, Crew &crew, Ref<const Topology> topology, const PoolOptions &options, Plan plan)
    : ports_(ports), crew_(crew), topology_(std::move(topology)), options_(with_defaults(options)),
      plan_(std::move(plan)), nearest_(nearest_nodes(*topology_, plan_)) {
    for (std::size_t i = 0; i < plan_.nodes.size(); i++) {
        numbers_.emplace_back(plan_.nodes[i].number, i);
        queues_.push_back(std::make_unique<Queue>(options_.queue_capacity));
    }
    std::sort(numbers_.begin(), numbers_.end());
    for (const PlannedTeam &planned : plan_.teams) {
        teams_.push_back(std::make_unique<Team>(ports_.futex, planned, queues_));
    }
    for (const auto &team : teams_) {
        for (uint32_t i = 0; i < team->plan().workers; i++) {
            team->workers().push_back(std::make_unique<Worker>(*this, *team, i));
            team->parking().begin_search(); // see Worker::run()
        }
    }
}

Pool::~Pool() = default;

Result<Ref<Pool>> Pool::create(const Ports &ports, Crew &crew, Ref<const Topology> topology,
                               const PoolOptions &options) {
    if (options.request.strict && !topology->this_machine()) {
        return fail(NEAR_E_STRICT, "strict: the topology describes another machine, on which no thread can be pinned");
    }
    if (options.memory_policy != NUMA_POOL_MEMORY_LOCAL && options.memory_policy != NUMA_POOL_MEMORY_INHERIT) {
        return fail(NEAR_E_INVALID, "memory policy %d is none of NUMA_POOL_MEMORY_*", options.memory_policy);
    }
    Request request = options.request;
    if (topology->this_machine()) {
        request.quota_millis = cpu_quota_millis(ports.files);
        request.isolated = isolated_cpus(ports.files);
    }
    Result<Plan> plan = make_plan(*topology, request);
    if (!plan) {
        return plan.error();
    }
    Ref<Pool> pool = Ref<Pool>::adopt(new Pool(ports, crew, std::move(topology), options, plan.take()));
    if (!options.process_wide) {
        if (Done ok = pool->start(); !ok) {
            return ok.error();
        }
    }
    return pool;
}

const char *memory_policy_name(int32_t policy) {
    return policy == NUMA_POOL_MEMORY_LOCAL ? "local" : policy == NUMA_POOL_MEMORY_INHERIT ? "inherit" : "unknown";
}

std::string Pool::inherited_policy() const {
    return started_.load(std::memory_order_acquire)
               ? inherited_policy_.value_or("not known: get_mempolicy() was refused")
               : "";
}

bool Pool::inside() const {
    return Worker::pool_of_thread() == this;
}

Worker *Pool::own_worker() const {
    Worker *worker = Worker::current();
    return worker != nullptr && &worker->pool() == this ? worker : nullptr;
}

std::size_t Pool::index_of(uint32_t node) const {
    return node == NUMA_POOL_NODE_LOCAL ? local_node() : look_up(numbers_, node);
}

// On a topology of another machine the caller's node is the one that has a CPU of the caller's number there, so that
// programs which test their placement for a server on a laptop run; without one, the first.
std::size_t Pool::local_node() const {
    if (const Worker *worker = own_worker(); worker != nullptr) {
        return worker->team().own_node();
    }
    uint32_t cpu = 0;
    uint32_t node = 0;
    if (ports_.affinity.current(&cpu, &node) != 0) {
        return numbers_.front().second;
    }
    const Cpu *known = topology_->cpu(cpu);
    const std::size_t index = known != nullptr ? look_up(nearest_, known->node) : SIZE_MAX;
    return index != SIZE_MAX ? index : numbers_.front().second;
}

uint32_t Pool::nearest_node(uint32_t node) const {
    const std::size_t index = look_up(nearest_, node);
    return index != SIZE_MAX ? plan_.nodes[index].number : NEAR_NODE_UNKNOWN;
}

Status Pool::submit(uint32_t node, const Item *items, std::size_t count, Group *group) {
    if (forked()) {
        return NEAR_E_FORKED;
    }
    const std::size_t index = index_of(node);
    if (index == SIZE_MAX) {
        return NEAR_E_NO_NODE;
    }
    if (count == 0) {
        return NEAR_OK;
    }
    if (Done ok = ensure_started(); !ok) {
        return ok.error().status;
    }
    return group != nullptr ? submit_to_group(*group, index, items, count, true) : store(index, items, count, true);
}

// A worker's tasks for its own node stay in its deque; all others go to the node's queue. The pool's own tasks may
// still submit while it drains, and a bounded queue does not hold up the workers of its own node.
Status Pool::store(std::size_t node, const Item *items, std::size_t count, bool bounded) {
    Team &home = *teams_[plan_.nodes[node].team];
    Worker *worker = own_worker();
    const bool own = worker != nullptr && &worker->team() == &home && home.own_node() == node;
    if (own && worker->send(items, count)) {
        work_added(home);
        return NEAR_OK;
    }
    const Queue::Rules rules{bounded && !own, worker == nullptr};
    if (const Status status = queues_[node]->push(items, count, rules); status != NEAR_OK) {
        return status;
    }
    work_added(home);
    queues_[node]->settle(count); // the pool may be gone now
    return NEAR_OK;
}

Status Pool::submit_to_group(Group &group, std::size_t node, const Item *items, std::size_t count, bool bounded) {
    if (const Status status = group.begin(count); status != NEAR_OK) {
        return status;
    }
    const Status status = store(node, items, count, bounded);
    if (status != NEAR_OK) {
        group.retract(count);
    }
    return status;
}

// Wakes somebody for new work: one of the home's workers; when all of them are busy, a thief that may take it now, or
// that will wait until it may.
void Pool::work_added(Team &home) {
    Parking &parking = home.parking();
    if (parking.wake_one() || parking.anyone_searching() || options_.request.steal_policy == NUMA_POOL_STEAL_LOCAL) {
        return;
    }
    if (sleepers_.load(std::memory_order_seq_cst) == 0) {
        return;
    }
    const bool wait_for_delay = options_.steal_delay_ns != NEAR_NONE && !home.watched();
    if (!wait_for_delay && !home.overloaded()) {
        return;
    }
    for (const std::size_t thief : home.plan().victims) { // distances are as good as symmetric
        if (teams_[thief]->parking().wake_one()) {
            return;
        }
    }
}

void Pool::wake_everyone() {
    for (const auto &team : teams_) {
        team->parking().wake_all();
    }
}

void Pool::count_sleeper(bool sleeps) {
    sleepers_.fetch_add(sleeps ? 1U : UINT32_MAX, std::memory_order_seq_cst);
}

uint64_t Pool::ended() const {
    uint64_t sum = 0;
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            sum += worker->counts().ended.load(std::memory_order_acquire);
        }
    }
    return sum;
}

uint64_t Pool::accepted() const {
    uint64_t sum = 0;
    for (const auto &queue : queues_) {
        sum += queue->accepted();
    }
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            sum += worker->counts().sent.load(std::memory_order_acquire);
        }
    }
    return sum;
}

// Those that ended are read first, and a task is counted as accepted before it can end: equal means that at the moment
// between, nothing waited or ran that is not withdrawn since. (A worker whose deque is full counts for a moment what
// then goes to the queue.)
uint64_t Pool::unended() const {
    const uint64_t all_ended = ended();
    return accepted() - all_ended;
}

bool Pool::idle() const {
    return unended() == 0;
}

void Pool::went_idle() {
    const uint64_t before = idle_.fetch_add(one_idle_worker, std::memory_order_acq_rel);
    const bool awaited = static_cast<uint32_t>(before) != 0;
    const bool closed = closed_.load(std::memory_order_acquire);
    if ((!awaited && !closed) || !idle()) {
        return;
    }
    if (awaited) {
        idle_epoch_.fetch_add(1, std::memory_order_acq_rel);
        ports_.futex.wake(&idle_epoch_, INT_MAX);
    }
    if (closed) {
        finish();
    }
}

Done Pool::wait_idle(uint64_t timeout_ns) {
    if (forked()) {
        return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
    }
    if (inside()) {
        return fail(NEAR_E_BUSY, "called from one of the pool's own tasks: it would wait for its own end");
    }
    const uint64_t deadline = deadline_after(timeout_ns);
    idle_.fetch_add(1, std::memory_order_acq_rel);
    bool is_idle = false;
    for (;;) {
        const uint32_t epoch = idle_epoch_.load(std::memory_order_acquire);
        is_idle = idle();
        if (is_idle || now_ns() >= deadline || forked()) { // by a task that was run meanwhile
            break;
        }
        wait_on(idle_epoch_, epoch, deadline);
    }
    idle_.fetch_sub(1, std::memory_order_acq_rel);
    if (forked()) {
        return fail(NEAR_E_FORKED, "the process was forked while it waited: the pool is the parent's");
    }
    if (!is_idle) {
        return fail(NEAR_E_TIMEOUT, "%llu tasks have not ended in %.3f s", static_cast<unsigned long long>(unended()),
                    static_cast<double>(timeout_ns) / 1e9);
    }
    return {};
}

Result<std::unique_ptr<Region>> Pool::allocate(uint32_t node, std::size_t bytes, const near_region_options &options) {
    if (forked()) {
        return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
    }
    if (options.policy != NEAR_POLICY_LOCAL || options.nodes != nullptr || options.node_count != 0) {
        return fail(NEAR_E_INVALID,
                    "the options name a policy or nodes; numa_pool_alloc places on the node it is given");
    }
    const std::size_t index = index_of(node);
    if (index == SIZE_MAX) {
        std::vector<uint32_t> numbers;
        for (const PlannedNode &each : plan_.nodes) {
            numbers.push_back(each.number);
        }
        return fail(NEAR_E_NO_NODE, "node %u is not in this pool (nodes %s)", node,
                    NumberSet(std::move(numbers)).text().c_str());
    }
    near_region_options placed = options;
    placed.policy = options.strict != 0 ? NEAR_POLICY_BIND : NEAR_POLICY_PREFERRED;
    placed.nodes = &plan_.nodes[index].number;
    placed.node_count = 1;
    Result<RegionSpec> spec = region_spec(*topology_, bytes, placed);
    if (!spec) {
        return spec.error();
    }
    return Region::create(ports_, topology_, crew_, spec.value());
}

} // namespace nearpool::numa
