/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory on every node, under every policy, and where its pages really are.
 *
 * Exits with 1 when something could not be made, or when a strict promise was broken: memory that is called strict and
 * has a page elsewhere.
 */
#include <nearpool/nearpool.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_BYTES ((size_t)8 << 20)

struct demand {
    const char *text;
    near_region_options options;
};

static int failures;

static near_region_options options_of(int32_t policy, const uint32_t *nodes, size_t count) {
    near_region_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.policy = policy;
    options.nodes = nodes;
    options.node_count = count;
    options.prefault = NEAR_PREFAULT_ON_NODE;
    return options;
}

static void print_nodes(near_region *region) {
    near_node_pages nodes[16];
    size_t needed = 0;
    near_status status = near_region_nodes(region, nodes, sizeof nodes / sizeof nodes[0], &needed, NULL);
    if (status == NEAR_E_CAPACITY) {
        printf("  pages on %zu nodes", needed);
    } else if (status == NEAR_OK) {
        for (size_t i = 0; i < needed; i++) {
            printf("  node %u: %zu", (unsigned)nodes[i].node, nodes[i].page_count);
        }
    } else {
        printf("  nobody may look");
    }
}

/* A strict promise is kept when every page of the region was seen, and seen near. */
static int promise_broken(const near_placement *placement) {
    return placement->level == NEAR_LEVEL_STRICT &&
           (placement->near_pages != placement->page_count || placement->looked_at_pages != placement->page_count);
}

static void print_report(const char *text, near_region *region) {
    near_placement placement;
    near_error error;
    memset(&placement, 0, sizeof placement);
    placement.struct_size = sizeof placement;
    error.struct_size = sizeof error;
    if (near_region_placement(region, &placement, &error) != NEAR_OK) {
        printf("%-34s %s\n", text, error.message);
        failures++;
        return;
    }
    printf("%-34s %-11s %6zu of %6zu pages near, %s pages,", text, near_level_name(placement.level),
           placement.near_pages, placement.page_count, near_pages_name(placement.pages));
    print_nodes(region);
    printf("\n");
    if (placement.reason[0] != '\0') {
        printf("%-34s   because: %s\n", "", placement.reason);
    }
    if (promise_broken(&placement)) {
        printf("%-34s   a strict promise was broken\n", "");
        failures++;
    }
}

/* Makes a region, writes to all of it and shows its report. `may_fail`: strict mode may refuse. */
static void show(const char *text, const near_region_options *options, int may_fail) {
    near_region *region = NULL;
    near_error error;
    error.struct_size = sizeof error;
    near_status status = near_region_create(NULL, REGION_BYTES, options, &region, &error);
    if (status != NEAR_OK) {
        printf("%-34s %s: %s\n", text, near_status_name(status), error.message);
        failures += may_fail ? 0 : 1;
        return;
    }
    memset(near_region_data(region), 1, REGION_BYTES);
    print_report(text, region);
    near_region_destroy(region);
}

static void show_node(uint32_t node) {
    near_region_options options = options_of(NEAR_POLICY_BIND, &node, 1);
    char text[64];
    snprintf(text, sizeof text, "node %u, bind", (unsigned)node);
    show(text, &options, 0);
    options.strict = 1;
    snprintf(text, sizeof text, "node %u, bind, strict", (unsigned)node);
    show(text, &options, 1);
    options.pages = NEAR_PAGES_HUGE;
    snprintf(text, sizeof text, "node %u, bind, huge, strict", (unsigned)node);
    show(text, &options, 1);
    options = options_of(NEAR_POLICY_PREFERRED, &node, 1);
    snprintf(text, sizeof text, "node %u, preferred", (unsigned)node);
    show(text, &options, 0);
}

static void show_policies(void) {
    const int32_t policies[] = {NEAR_POLICY_LOCAL,      NEAR_POLICY_PREFERRED_MANY,      NEAR_POLICY_BIND,
                                NEAR_POLICY_INTERLEAVE, NEAR_POLICY_WEIGHTED_INTERLEAVE, NEAR_POLICY_SPLIT};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        near_region_options options = options_of(policies[i], NULL, 0);
        char text[64];
        snprintf(text, sizeof text, "all nodes, %s", near_policy_name(policies[i]));
        show(policies[i] == NEAR_POLICY_LOCAL ? "local" : text, &options, 0);
    }
}

/* Pages follow when the policy changes. */
static void show_rebind(uint32_t from, uint32_t to) {
    near_region_options options = options_of(NEAR_POLICY_PREFERRED, &from, 1);
    near_region *region = NULL;
    near_error error;
    char text[64];
    error.struct_size = sizeof error;
    if (near_region_create(NULL, REGION_BYTES, &options, &region, &error) != NEAR_OK) {
        printf("%s\n", error.message);
        failures++;
        return;
    }
    snprintf(text, sizeof text, "from node %u, rebound to node %u", (unsigned)from, (unsigned)to);
    if (near_region_rebind(region, NEAR_POLICY_BIND, &to, 1, 0, &error) != NEAR_OK) {
        printf("%-34s %s\n", text, error.message);
        failures++;
    } else {
        print_report(text, region);
    }
    near_region_destroy(region);
}

int main(void) {
    size_t count = near_topology_node_count(NULL);
    if (count == 0) {
        fprintf(stderr, "this machine could not be read\n");
        return 1;
    }
    printf("regions of %zu MiB\n\n", REGION_BYTES >> 20);
    for (size_t i = 0; i < count; i++) {
        show_node(near_topology_node_at(NULL, i));
    }
    printf("\n");
    show_policies();
    printf("\n");
    show_rebind(near_topology_node_at(NULL, 0), near_topology_node_at(NULL, count - 1));
    printf("\n%s\n", failures == 0 ? "every strict promise was kept" : "something failed");
    return failures == 0 ? 0 : 1;
}
