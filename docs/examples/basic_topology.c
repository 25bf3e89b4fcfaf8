/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the machine: nodes, CPUs, distances, huge pages, and what this system can and cannot enforce.
 *
 * usage: basic_topology [DESCRIPTION]     an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2"
 */
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <stdio.h>
#include <stdlib.h>

static near_error why = {.struct_size = sizeof why};

static void print_head(const near_topology *topology) {
    near_topology_info info = {.struct_size = sizeof info};
    if (near_topology_get_info(topology, &info) != NEAR_OK)
        return;
    printf("%s: %" PRIu32 " nodes, %" PRIu32 " packages, %" PRIu32 " cores, %" PRIu32 " CPUs (%" PRIu32
           " allowed), %" PRIu64 " MiB\n",
           info.this_machine ? "this machine" : "another machine", info.node_count, info.package_count, info.core_count,
           info.cpu_count, info.allowed_cpus, info.memory_bytes >> 20);
    if (info.synthetic_node)
        printf("(it shows no NUMA node; one stands for all of it)\n");
    printf("from %s%s%s\n", info.basis_text, info.doubt[0] != '\0' ? "; not certain: " : "", info.doubt);
}

static void print_cpus(const near_topology *topology, uint32_t node) {
    size_t count = 0;
    if (near_topology_cpus(topology, node, NULL, 0, &count) != NEAR_OK || count == 0) {
        printf("  CPUs: none\n");
        return;
    }
    uint32_t *cpus = malloc(count * sizeof *cpus);
    if (cpus != NULL && near_topology_cpus(topology, node, cpus, count, &count) == NEAR_OK) {
        printf("  CPUs:");
        for (size_t i = 0; i < count; i++)
            printf(" %" PRIu32, cpus[i]);
        printf("\n");
    }
    free(cpus);
}

static void print_huge_pools(const near_topology *topology, uint32_t node) {
    near_huge_pool pools[16];
    size_t count = 0;
    if (near_topology_huge_pools(topology, node, pools, sizeof pools / sizeof *pools, &count) != NEAR_OK)
        return;
    for (size_t i = 0; i < count; i++)
        printf("  huge pages of %" PRIu64 " KiB: %" PRIu64 "\n", pools[i].page_bytes >> 10, pools[i].page_count);
}

static void print_node(const near_topology *topology, uint32_t node) {
    near_node_info info = {.struct_size = sizeof info};
    if (near_topology_node_info(topology, node, &info) != NEAR_OK)
        return;
    printf("node %" PRIu32 "\n", node);
    if (info.package != NEAR_NODE_UNKNOWN)
        printf("  package: %" PRIu32 "\n", info.package);
    printf("  memory: %" PRIu64 " MiB%s, kind %s (%s)%s\n", info.memory_bytes >> 20,
           info.memory_bytes != 0 && !info.memory_allowed ? ", not allowed" : "",
           near_memory_kind_name(info.memory_kind), near_memory_kind_source_name(info.kind_source),
           info.memory_by_default ? "" : ", not by default");
    if (info.cpu_count == 0 && info.nearest_with_cpus != NEAR_NODE_UNKNOWN)
        printf("  served by: node %" PRIu32 "\n", info.nearest_with_cpus);
    print_cpus(topology, node);
    print_huge_pools(topology, node);
}

static void print_distances(const near_topology *topology) {
    const size_t count = near_topology_node_count(topology);
    printf("distances (- is not known)\n     ");
    for (size_t to = 0; to < count; to++)
        printf(" %4" PRIu32, near_topology_node_at(topology, to));
    for (size_t from = 0; from < count; from++) {
        printf("\n %4" PRIu32, near_topology_node_at(topology, from));
        for (size_t to = 0; to < count; to++) {
            near_link link = {.struct_size = sizeof link};
            if (near_topology_link(topology, near_topology_node_at(topology, from), near_topology_node_at(topology, to),
                                   &link) == NEAR_OK &&
                link.distance != 0)
                printf(" %4" PRIu32, link.distance);
            else
                printf("    -");
        }
    }
    printf("\n");
}

static int print_capabilities(const near_topology *topology) {
    near_capabilities *capabilities = NULL;
    if (near_capabilities_create(topology, &capabilities, &why) != NEAR_OK) {
        fprintf(stderr, "%s\n", why.message);
        return 1;
    }
    printf("capabilities\n");
    for (int32_t which = 0; which < NEAR_CAPABILITY_COUNT; which++) {
        near_capability answer = {.struct_size = sizeof answer};
        if (near_capabilities_get(capabilities, which, &answer) == NEAR_OK)
            printf("  %-3s %-26s %s\n", answer.available ? "yes" : "no", near_capability_name(which), answer.text);
    }
    int32_t missing[NEAR_CAPABILITY_COUNT];
    size_t count = 0;
    if (near_capabilities_missing(capabilities, missing, NEAR_CAPABILITY_COUNT, &count) == NEAR_OK) {
        printf("missing for strict mode:");
        for (size_t i = 0; i < count; i++)
            printf("%s %s", i == 0 ? "" : ",", near_capability_name(missing[i]));
        printf("%s\n", count == 0 ? " nothing" : "");
    }
    near_capabilities_destroy(capabilities);
    return 0;
}

int main(int argc, char **argv) {
    near_topology_options options = {.struct_size = sizeof options};
    if (argc > 1) {
        options.source = NEAR_TOPOLOGY_SYNTHETIC;
        options.text = argv[1];
    }
    near_topology *topology = NULL;
    if (near_topology_create(&options, &topology, &why) != NEAR_OK) {
        fprintf(stderr, "%s\n", why.message);
        return 1;
    }
    print_head(topology);
    for (size_t i = 0; i < near_topology_node_count(topology); i++)
        print_node(topology, near_topology_node_at(topology, i));
    print_distances(topology);
    const int result = print_capabilities(topology);
    near_topology_release(topology);
    return result;
}
