// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/plan.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace nearpool::numa {
namespace {

constexpr uint64_t most_workers = 65535; // the parking word counts them in 16 bits

uint32_t core_count(const Topology &topology, const NumberSet &cpus) {
    std::set<uint32_t> cores;
    for (const uint32_t cpu : cpus) {
        cores.insert(topology.cpu(cpu)->core);
    }
    return static_cast<uint32_t>(cores.size());
}

bool is_wanted(const Topology &topology, uint32_t cpu, const Request &request) {
    const bool kind = request.core_kind == NEAR_CORE_UNKNOWN || topology.cpu(cpu)->core_kind == request.core_kind;
    return kind && (!request.cpus || request.cpus->contains(cpu)) && !request.excluded.contains(cpu);
}

// The CPUs of a node on which workers may run.
NumberSet usable_cpus(const Topology &topology, const Node &node, const Request &request) {
    std::vector<uint32_t> cpus;
    std::copy_if(node.allowed_cpus.begin(), node.allowed_cpus.end(), std::back_inserter(cpus),
                 [&](uint32_t cpu) { return is_wanted(topology, cpu, request); });
    return NumberSet(std::move(cpus));
}

bool has_usable_cpus(const Topology &topology, const Request &request) {
    return std::any_of(topology.nodes().begin(), topology.nodes().end(),
                       [&](const Node &node) { return !usable_cpus(topology, node, request).empty(); });
}

// Of a machine that shows no core of the kind all are taken.
Request with_kind_that_is_there(const Topology &topology, const Request &request) {
    Request result = request;
    result.core_kind = has_usable_cpus(topology, request) ? request.core_kind : int32_t{NEAR_CORE_UNKNOWN};
    return result;
}

Done check_nodes(const Topology &topology, const Request &request) {
    const Request wanted = with_kind_that_is_there(topology, request);
    std::set<uint32_t> seen;
    for (const uint32_t number : request.nodes) {
        const Node *node = topology.node(number);
        if (node == nullptr) {
            return topology.no_node(number);
        }
        if (!seen.insert(number).second) {
            return fail(NEAR_E_INVALID, "node %u is listed twice", number);
        }
        if (request.strict && !node->cpus.empty() && node->allowed_cpus.empty()) {
            return fail(NEAR_E_NOT_ALLOWED, "none of the CPUs of node %u (%s) is allowed to this process (%s)", number,
                        node->cpus.text().c_str(), topology.allowed_cpus().text().c_str());
        }
        if (request.strict && !node->allowed_cpus.empty() && usable_cpus(topology, *node, wanted).empty()) {
            return wanted.core_kind == NEAR_CORE_UNKNOWN
                       ? fail(NEAR_E_NOT_ALLOWED, "none of the allowed CPUs of node %u (%s) is listed", number,
                              node->allowed_cpus.text().c_str())
                       : fail(NEAR_E_NOT_ALLOWED, "none of the allowed CPUs of node %u (%s) is a core of the kind %s%s",
                              number, node->allowed_cpus.text().c_str(), core_kind_name(request.core_kind),
                              request.cpus || !request.excluded.empty() ? " and listed" : "");
        }
    }
    return {};
}

Error no_cpu(const Topology &topology, const Request &request) {
    if (topology.allowed_cpus().empty() || (!request.cpus && request.excluded.empty())) {
        return fail(NEAR_E_NO_CPU, "no CPU of this machine may be used by this process");
    }
    return fail(NEAR_E_NO_CPU, "of the CPUs that this process may use (%s) the lists leave none",
                topology.allowed_cpus().text().c_str());
}

Done check_cpus(const Topology &topology, const Request &request) {
    for (const NumberSet &list : {request.cpus.value_or(NumberSet()), request.excluded}) {
        for (const uint32_t cpu : list) {
            if (topology.cpu(cpu) == nullptr) {
                return fail(NEAR_E_NO_CPU, "CPU %u is not in this topology (CPUs %s)", cpu,
                            topology.cpu_numbers().text().c_str());
            }
        }
    }
    Request any_kind = request;
    any_kind.core_kind = NEAR_CORE_UNKNOWN;
    if (!topology.allowed_cpus().empty() && !has_usable_cpus(topology, any_kind)) {
        return no_cpu(topology, request);
    }
    if (request.cpus && request.strict && !topology.allowed_cpus().contains_all(*request.cpus)) {
        return fail(NEAR_E_NOT_ALLOWED, "of the listed CPUs %s are not allowed to this process (%s)",
                    request.cpus->subtract(topology.allowed_cpus()).text().c_str(),
                    topology.allowed_cpus().text().c_str());
    }
    return {};
}

// Soft: every node, for one that is not allowed is still served. Strict: those that can have workers.
std::vector<uint32_t> chosen_nodes(const Topology &topology, const Request &request) {
    if (!request.nodes.empty()) {
        return request.nodes;
    }
    std::vector<uint32_t> result;
    for (const Node &node : topology.nodes()) {
        if (!request.strict || !usable_cpus(topology, node, request).empty()) {
            result.push_back(node.number);
        }
    }
    return result;
}

Enforcement why_served(const Topology &topology, const Node &node, uint32_t serving, const Request &request) {
    if (!usable_cpus(topology, node, request).empty()) {
        return Enforcement::best_effort(NEAR_REASON_LIMIT,
                                        format("the pool may have %u workers, and more nodes have CPUs; node %u serves "
                                               "node %u",
                                               request.most_workers, serving, node.number));
    }
    if (!node.allowed_cpus.empty() && request.core_kind == NEAR_CORE_UNKNOWN) {
        return Enforcement::best_effort(NEAR_REASON_NOT_ASKED,
                                        format("of the allowed CPUs of node %u (%s) none is listed; node %u serves it",
                                               node.number, node.allowed_cpus.text().c_str(), serving));
    }
    if (!node.allowed_cpus.empty()) {
        return Enforcement::best_effort(NEAR_REASON_NO_CPUS,
                                        format("node %u has no allowed cores of the kind %s; node %u serves it",
                                               node.number, core_kind_name(request.core_kind), serving));
    }
    if (node.cpus.empty()) {
        return Enforcement::best_effort(
            NEAR_REASON_NO_CPUS,
            format("node %u has no CPUs; node %u, the nearest with CPUs, serves it", node.number, serving));
    }
    return Enforcement::best_effort(
        NEAR_REASON_NOT_ALLOWED,
        format("no CPU of node %u is allowed to this process; node %u, the nearest, serves it", node.number, serving));
}

std::size_t team_of(Plan &plan, const Topology &topology, uint32_t node, const Request &request) {
    for (std::size_t i = 0; i < plan.teams.size(); i++) {
        if (plan.teams[i].node == node) {
            return i;
        }
    }
    PlannedTeam team;
    team.node = node;
    team.home = SIZE_MAX;
    team.cpus = usable_cpus(topology, *topology.node(node), request);
    plan.teams.push_back(std::move(team));
    return plan.teams.size() - 1;
}

// The nodes that have workers of their own: those with most cores where not all may, the first of equals.
std::vector<uint32_t> nodes_with_workers(const Topology &topology, const Request &request) {
    std::vector<std::pair<uint32_t, uint32_t>> cores; // of each node
    for (const Node &node : topology.nodes()) {
        const NumberSet cpus = usable_cpus(topology, node, request);
        if (!cpus.empty()) {
            cores.emplace_back(core_count(topology, cpus), node.number);
        }
    }
    if (request.most_workers != 0 && cores.size() > request.most_workers) {
        std::stable_sort(cores.begin(), cores.end(), [](const auto &a, const auto &b) { return a.first > b.first; });
        cores.resize(request.most_workers);
    }
    std::vector<uint32_t> numbers;
    numbers.reserve(cores.size());
    for (const auto &[count, number] : cores) {
        numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

uint32_t serving_node(const Topology &topology, uint32_t number, const std::vector<uint32_t> &with_workers) {
    const uint32_t nearest = topology.nearest_with_allowed_cpus(number);
    const auto serves = [&](uint32_t node) {
        return std::binary_search(with_workers.begin(), with_workers.end(), node);
    };
    if (nearest == NEAR_NODE_UNKNOWN || serves(nearest)) {
        return nearest;
    }
    for (const uint32_t other : topology.nodes_by_distance(number)) {
        if (serves(other)) {
            return other;
        }
    }
    return NEAR_NODE_UNKNOWN;
}

// Why no node of the pool is as good as asked for; strict: each may be.
Enforcement limit_of_all(const Topology &topology, const Request &request, int32_t core_kind) {
    if (!topology.doubt().empty()) {
        return Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
    }
    if (core_kind != request.core_kind) {
        return Enforcement::best_effort(NEAR_REASON_NO_CPUS,
                                        format("the machine shows no allowed cores of the kind %s: all are used",
                                               core_kind_name(request.core_kind)));
    }
    if (request.cpus && !topology.allowed_cpus().contains_all(*request.cpus)) {
        return Enforcement::best_effort(NEAR_REASON_NOT_ALLOWED,
                                        format("of the listed CPUs %s are not allowed to this process",
                                               request.cpus->subtract(topology.allowed_cpus()).text().c_str()));
    }
    return Enforcement::strict();
}

Done assign_teams(Plan &plan, const Topology &topology, const Request &request, const std::vector<uint32_t> &numbers) {
    const Request wanted = with_kind_that_is_there(topology, request);
    const Enforcement limit = limit_of_all(topology, request, wanted.core_kind);
    if (request.strict && limit.level != NEAR_LEVEL_STRICT) {
        return fail(NEAR_E_STRICT, "%s", limit.text.c_str());
    }
    const std::vector<uint32_t> with_workers = nodes_with_workers(topology, wanted);
    for (const uint32_t number : numbers) {
        const Node &node = *topology.node(number);
        const uint32_t serving = serving_node(topology, number, with_workers);
        if (serving == NEAR_NODE_UNKNOWN) {
            return no_cpu(topology, request);
        }
        PlannedNode planned;
        planned.number = number;
        planned.package = node.package;
        planned.team = team_of(plan, topology, serving, wanted);
        planned.serving = serving == number ? limit : why_served(topology, node, serving, wanted);
        plan.nodes.push_back(std::move(planned));
    }
    for (PlannedTeam &team : plan.teams) {
        team.home = plan.find(team.node).value_or(plan.nodes.size());
    }
    return {};
}

void list_served(Plan &plan) {
    for (PlannedTeam &team : plan.teams) {
        if (team.home < plan.nodes.size()) {
            team.serves.push_back(team.home);
        }
    }
    for (std::size_t i = 0; i < plan.nodes.size(); i++) {
        PlannedTeam &team = plan.teams[plan.nodes[i].team];
        if (i != team.home) {
            team.serves.push_back(i);
        }
    }
}

// One worker a core, in all at most the quota and the limit, at least one a team: the teams with most cores give way
// first.
void default_workers(Plan &plan, const Topology &topology, const Request &request) {
    uint64_t total = 0;
    for (PlannedTeam &team : plan.teams) {
        team.workers = core_count(topology, team.cpus);
        total += team.workers;
    }
    uint64_t most = request.quota_millis ? *request.quota_millis / 1000 : total;
    most = request.most_workers != 0 ? std::min<uint64_t>(most, request.most_workers) : most;
    for (most = std::max<uint64_t>(most, plan.teams.size()); total > most; total--) {
        // From the end: the last of equals, so that the first node keeps most.
        const auto largest =
            std::max_element(plan.teams.rbegin(), plan.teams.rend(),
                             [](const PlannedTeam &a, const PlannedTeam &b) { return a.workers < b.workers; });
        largest->workers--;
    }
}

Done count_workers(Plan &plan, const Topology &topology, const Request &request) {
    if (request.workers_per_node == 0) {
        default_workers(plan, topology, request);
    }
    uint64_t total = 0;
    for (PlannedTeam &team : plan.teams) {
        team.workers = request.workers_per_node != 0 ? request.workers_per_node : team.workers;
        total += team.workers;
    }
    if (total > most_workers) {
        return fail(NEAR_E_INVALID, "%llu workers are asked for; at most %llu are possible",
                    static_cast<unsigned long long>(total), static_cast<unsigned long long>(most_workers));
    }
    return {};
}

// Isolated CPUs belong to no scheduling domain: threads that may run on several of them stay together on one. There
// each worker has a core of its own; those that are left over go round again (isolcpus in kernel-parameters.txt).
void share_out(PlannedTeam &team, const Topology &topology, const NumberSet &isolated) {
    std::map<uint32_t, NumberSet> cores;
    for (const uint32_t cpu : team.cpus.intersect(isolated)) {
        cores[topology.cpu(cpu)->core].add(cpu);
    }
    if (cores.empty()) {
        return;
    }
    const NumberSet shared = team.cpus.subtract(isolated);
    std::vector<NumberSet> places(core_count(topology, shared), shared);
    for (auto &[core, cpus] : cores) {
        places.push_back(std::move(cpus));
    }
    for (uint32_t worker = 0; worker < team.workers; worker++) {
        team.own.push_back(places[worker % places.size()]);
    }
}

// Nearest: the same package first, then by distance. Any: in a ring, so that thieves spread over the victims.
void order_victims(Plan &plan, const Topology &topology, int32_t policy) {
    for (std::size_t i = 0; i < plan.teams.size(); i++) {
        PlannedTeam &team = plan.teams[i];
        for (std::size_t step = 1; policy != NUMA_POOL_STEAL_LOCAL && step < plan.teams.size(); step++) {
            team.victims.push_back((i + step) % plan.teams.size());
        }
        if (policy != NUMA_POOL_STEAL_NEAREST) {
            continue;
        }
        const auto rank = [&](std::size_t other) {
            const Node &home = *topology.node(team.node);
            const Node &away = *topology.node(plan.teams[other].node);
            return std::make_tuple(home.package != away.package, topology.distance(home.number, away.number),
                                   away.number);
        };
        std::sort(team.victims.begin(), team.victims.end(),
                  [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    }
}

} // namespace

std::optional<std::size_t> Plan::find(uint32_t node) const {
    for (std::size_t i = 0; i < nodes.size(); i++) {
        if (nodes[i].number == node) {
            return i;
        }
    }
    return std::nullopt;
}

Result<Plan> make_plan(const Topology &topology, const Request &request) {
    if (request.steal_policy < NUMA_POOL_STEAL_NEAREST || request.steal_policy > NUMA_POOL_STEAL_ANY) {
        return fail(NEAR_E_INVALID, "steal policy %d is none of NUMA_POOL_STEAL_*", request.steal_policy);
    }
    if (request.core_kind < NEAR_CORE_UNKNOWN || request.core_kind > NEAR_CORE_EFFICIENT) {
        return fail(NEAR_E_INVALID, "core kind %d is none of NEAR_CORE_*", request.core_kind);
    }
    for (const auto check : {&check_cpus, &check_nodes}) {
        if (Done ok = check(topology, request); !ok) {
            return ok.error();
        }
    }
    Plan plan;
    if (Done ok = assign_teams(plan, topology, request, chosen_nodes(topology, request)); !ok) {
        return ok.error();
    }
    if (plan.nodes.empty()) {
        return no_cpu(topology, request);
    }
    list_served(plan);
    if (Done ok = count_workers(plan, topology, request); !ok) {
        return ok.error();
    }
    for (PlannedTeam &team : plan.teams) {
        share_out(team, topology, request.isolated);
    }
    order_victims(plan, topology, request.steal_policy);
    return plan;
}

const NumberSet &cpus_of_worker(const PlannedTeam &team, uint32_t worker) {
    return team.own.empty() ? team.cpus : team.own[worker];
}

const char *steal_policy_name(int32_t policy) {
    switch (policy) {
    case NUMA_POOL_STEAL_NEAREST:
        return "nearest first";
    case NUMA_POOL_STEAL_LOCAL:
        return "local only";
    case NUMA_POOL_STEAL_ANY:
        return "any";
    default:
        return "unknown";
    }
}

} // namespace nearpool::numa
