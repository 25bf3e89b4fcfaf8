// SPDX-License-Identifier: Apache-2.0
// What holds on every machine, whatever its shape.
#include "support.hpp"

#include "fakes/machines/shapes.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace nearpool::testing {
namespace {

// Calls body(topology) for the machine of each shape.
template <class Body> void on_every_shape(Body &&body) {
    for (const fakes::Shape &shape : fakes::all_shapes()) {
        SCOPED_TRACE(shape.name);
        body(*sysfs(shape.tree));
    }
}

bool is_special(const Node &node) {
    return node.memory.kind == NEAR_MEMORY_GPU || node.memory.kind == NEAR_MEMORY_CXL ||
           node.memory.kind == NEAR_MEMORY_NVM;
}

template <class Holds> bool any_allowed(const Topology &topology, Holds holds) {
    return std::any_of(topology.nodes().begin(), topology.nodes().end(),
                       [&](const Node &node) { return node.memory_allowed && holds(node); });
}

// The shapes would prove little if none had what they are for.
TEST(Shapes, AreOfManyKinds) {
    std::set<int32_t> kinds;
    std::set<int32_t> sources;
    std::set<Known> distances;
    std::size_t many_nodes = 0;
    std::size_t offline = 0;
    std::size_t threads = 0;
    std::size_t wide_packages = 0;
    const std::vector<fakes::Shape> shapes = fakes::all_shapes();
    EXPECT_GE(shapes.size(), 40U);
    on_every_shape([&](const Topology &topology) {
        distances.insert(topology.distances_known());
        for (const Node &node : topology.nodes()) {
            kinds.insert(node.memory.kind);
            sources.insert(node.memory.source);
        }
        many_nodes += topology.nodes().size() > 64 ? 1 : 0;
        offline += topology.cpu_numbers().size() <= topology.cpu_numbers().back() - topology.cpu_numbers()[0] ? 1 : 0;
        threads += topology.counts().cores < topology.cpus().size() ? 1 : 0;
        wide_packages += topology.counts().packages < topology.nodes().size() ? 1 : 0;
    });
    EXPECT_EQ(kinds.size(), 6U);
    EXPECT_GE(sources.size(), 7U);
    EXPECT_EQ(distances.size(), 3U);
    for (const std::size_t count : {many_nodes, offline, threads, wide_packages}) {
        EXPECT_GE(count, 3U);
    }
}

TEST(Shapes, OrderOfDistanceIsAPermutationFromTheNodeItselfOutwards) {
    on_every_shape([](const Topology &topology) {
        for (const Node &home : topology.nodes()) {
            const std::vector<uint32_t> order = topology.nodes_by_distance(home.number);
            ASSERT_EQ(NumberSet(order), topology.node_numbers());
            ASSERT_EQ(order.size(), topology.nodes().size());
            ASSERT_EQ(order[0], home.number);
            for (std::size_t i = 2; i < order.size(); i++) {
                const uint32_t before = topology.distance(home.number, order[i - 1]);
                const uint32_t here = topology.distance(home.number, order[i]);
                ASSERT_LE(before, here) << "from node " << home.number;
                const bool known = topology.link(home.number, order[i - 1]).distance != 0 &&
                                   topology.link(home.number, order[i]).distance != 0;
                ASSERT_TRUE(before < here || !known || order[i - 1] < order[i]) << "from node " << home.number;
            }
        }
    });
}

TEST(Shapes, TheServingNodeHasCpusAndIsTheBestThatTheMachineNames) {
    on_every_shape([](const Topology &topology) {
        for (const Node &home : topology.nodes()) {
            const uint32_t serving = topology.nearest_with_cpus(home.number);
            ASSERT_NE(serving, NEAR_NODE_UNKNOWN);
            ASSERT_FALSE(topology.node(serving)->cpus.empty());
            if (!home.cpus.empty()) {
                ASSERT_EQ(serving, home.number);
                continue;
            }
            const auto named = [&](const Node &node) {
                return !node.cpus.empty() && home.initiators.contains(node.number);
            };
            const bool any = std::any_of(topology.nodes().begin(), topology.nodes().end(), named);
            for (const Node &other : topology.nodes()) {
                if (!other.cpus.empty() && (!any || named(other))) {
                    ASSERT_LE(topology.distance(home.number, serving), topology.distance(home.number, other.number))
                        << "node " << home.number;
                }
            }
            ASSERT_TRUE(!any || named(*topology.node(serving))) << "node " << home.number;
        }
    });
}

TEST(Shapes, SumsAgree) {
    on_every_shape([](const Topology &topology) {
        uint64_t bytes = 0;
        std::size_t cpus = 0;
        NumberSet all;
        for (const Node &node : topology.nodes()) {
            bytes += node.memory_bytes;
            cpus += node.cpus.size();
            all = all.unite(node.cpus);
            ASSERT_TRUE(node.cpus.contains_all(node.allowed_cpus));
            for (const uint32_t cpu : node.cpus) {
                ASSERT_EQ(topology.cpu(cpu)->node, node.number);
            }
        }
        EXPECT_EQ(topology.memory_bytes(), bytes);
        EXPECT_EQ(cpus, all.size()) << "a CPU is of one node";
        EXPECT_TRUE(topology.cpu_numbers().contains_all(all));
        std::set<uint32_t> cores;
        std::set<uint32_t> caches;
        std::set<std::pair<uint32_t, uint32_t>> threads;
        for (const Cpu &cpu : topology.cpus()) {
            cores.insert(cpu.core);
            caches.insert(cpu.cache);
            threads.insert({cpu.core, cpu.smt});
        }
        EXPECT_EQ(topology.counts().cores, cores.size());
        EXPECT_EQ(topology.counts().caches, caches.size());
        EXPECT_EQ(threads.size(), topology.cpus().size()) << "each thread of a core has its own position";
        EXPECT_EQ(*cores.rbegin() + 1, cores.size());
    });
}

TEST(Shapes, XmlReadsBackTheSame) {
    on_every_shape([](const Topology &topology) {
        const Result<std::string> written = topology.xml();
        ASSERT_TRUE(written) << written.error().message;
        const auto before = nlohmann::json::parse(topology.json());
        const auto after = nlohmann::json::parse(xml(written.value())->json());
        EXPECT_EQ(after, before) << nlohmann::json::diff(before, after).dump().substr(0, 2000);
    });
}

TEST(Shapes, DefaultMemoryIsThePlainestThatIsAllowed) {
    on_every_shape([](const Topology &topology) {
        const bool plain = any_allowed(topology, [](const Node &node) {
            return node.memory.kind == NEAR_MEMORY_DRAM || node.memory.kind == NEAR_MEMORY_UNKNOWN;
        });
        const bool usual = any_allowed(topology, [](const Node &node) { return !is_special(node); });
        const bool any = any_allowed(topology, [](const Node &) { return true; });
        EXPECT_EQ(topology.default_memory_nodes().empty(), !any);
        const NumberSet chosen(topology.default_memory_nodes());
        for (const Node &node : topology.nodes()) {
            ASSERT_EQ(node.memory_by_default, chosen.contains(node.number)) << "node " << node.number;
            if (!node.memory_by_default) {
                const bool passed_over = plain && (is_special(node) || node.memory.kind == NEAR_MEMORY_HBM);
                ASSERT_TRUE(!node.memory_allowed || passed_over || (usual && is_special(node)))
                    << "node " << node.number;
                continue;
            }
            ASSERT_TRUE(node.memory_allowed) << "node " << node.number;
            ASSERT_FALSE(is_special(node) && usual) << "node " << node.number;
            ASSERT_FALSE(node.memory.kind == NEAR_MEMORY_HBM && plain) << "node " << node.number;
        }
    });
}

// Where the memory of the plain nodes is not allowed.
TEST(Shapes, DefaultMemoryFollowsWhatIsAllowed) {
    std::size_t only_special = 0;
    for (fakes::Shape &shape : fakes::all_shapes()) {
        const auto whole = sysfs(shape.tree);
        NumberSet rest;
        for (const Node &node : whole->nodes()) {
            if (!node.memory_by_default) {
                rest.add(node.number);
            }
        }
        if (rest.empty()) {
            continue;
        }
        shape.tree.allow(whole->cpu_numbers().text(), rest.text());
        const auto topology = sysfs(shape.tree);
        SCOPED_TRACE(shape.name);
        const bool hbm = any_allowed(*topology, [](const Node &node) { return node.memory.kind == NEAR_MEMORY_HBM; });
        only_special += !hbm && !topology->default_memory_nodes().empty() ? 1 : 0;
        for (const uint32_t number : topology->default_memory_nodes()) {
            EXPECT_TRUE(topology->allowed_nodes().contains(number));
            EXPECT_EQ(topology->node(number)->memory.kind == NEAR_MEMORY_HBM, hbm) << "node " << number;
        }
    }
    EXPECT_GE(only_special, 3U);
}

} // namespace
} // namespace nearpool::testing
