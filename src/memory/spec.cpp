// SPDX-License-Identifier: Apache-2.0
// Checks of what callers ask for, and the names of what they can ask for.
#include "base/checked.hpp"
#include "memory/region.hpp"

#include <nearpool/region_change.h>

#include <algorithm>
#include <array>
#include <cinttypes>

namespace nearpool {
namespace {

constexpr std::array<const char *, NEAR_POLICY_SPLIT + 1> policies{
    "local", "bind", "preferred", "preferred-many", "interleave", "weighted interleave", "split"};
constexpr std::array<const char *, NEAR_PAGES_HUGE + 1> page_sizes{"default", "base",  "transparent",
                                                                   "2 MiB",   "1 GiB", "huge"};
constexpr std::array<const char *, NEAR_PREFAULT_ON_NODE + 1> prefaults{"none", "here", "on node"};

template <class Names> const char *name_in(const Names &names, int32_t value) {
    return value >= 0 && static_cast<std::size_t>(value) < names.size() ? names[static_cast<std::size_t>(value)]
                                                                        : "unknown";
}

Done check_range(const char *field, int32_t value, int32_t last) {
    if (value < 0 || value > last) {
        return fail(NEAR_E_INVALID, "%s is %" PRId32 ", which is none of 0 to %" PRId32, field, value, last);
    }
    return {};
}

Done check_switch(const char *field, uint32_t value) {
    if (value > 1) {
        return fail(NEAR_E_INVALID, "%s is %" PRIu32 ", and must be 0 or 1", field, value);
    }
    return {};
}

Done check_size(std::size_t bytes, int32_t pages) {
    if (bytes == 0) {
        return fail(NEAR_E_INVALID, "bytes is zero: a region has at least one byte");
    }
    std::size_t unit = base_page_bytes();
    if (pages == NEAR_PAGES_1G || pages == NEAR_PAGES_2M) {
        unit = pages == NEAR_PAGES_1G ? std::size_t{1} << 30U : std::size_t{2} << 20U;
    }
    if (!checked_round_up(bytes, unit) || bytes > PTRDIFF_MAX) {
        return fail(NEAR_E_INVALID, "%zu bytes overflow when rounded up to pages of %zu bytes", bytes, unit);
    }
    return {};
}

Done check_policy(int32_t policy, const uint32_t *nodes, std::size_t node_count) {
    if (Done ok = check_range("policy", policy, NEAR_POLICY_SPLIT); !ok) {
        return ok;
    }
    if (nodes == nullptr && node_count != 0) {
        return fail(NEAR_E_INVALID, "nodes is NULL and node_count is %zu", node_count);
    }
    if (policy == NEAR_POLICY_LOCAL && nodes != nullptr) {
        return fail(NEAR_E_INVALID, "the policy local takes no nodes, and %zu are given", node_count);
    }
    if (nodes != nullptr && node_count == 0) {
        return fail(NEAR_E_EMPTY_SET, "nodes is an empty list: NULL stands for the default");
    }
    if (policy == NEAR_POLICY_PREFERRED && node_count != 1) {
        return fail(NEAR_E_INVALID, "the policy preferred takes one node, and %zu are given: see preferred-many",
                    node_count);
    }
    return {};
}

std::vector<uint32_t> default_nodes(const Topology &topology) {
    const NumberSet &all = topology.node_numbers();
    return !topology.default_memory_nodes().empty() ? topology.default_memory_nodes()
                                                    : std::vector<uint32_t>(all.begin(), all.end());
}

Result<std::vector<uint32_t>> listed_nodes(const Topology &topology, int32_t policy, const uint32_t *nodes,
                                           std::size_t node_count, bool strict) {
    if (nodes == nullptr) {
        return policy == NEAR_POLICY_LOCAL ? std::vector<uint32_t>() : default_nodes(topology);
    }
    std::vector<uint32_t> listed(nodes, nodes + node_count);
    for (const uint32_t node : listed) {
        if (topology.node(node) == nullptr) {
            return topology.no_node(node);
        }
    }
    for (const uint32_t number : listed) {
        const Node &node = *topology.node(number);
        if (strict && topology.this_machine() && node.has_memory && !node.memory_allowed) {
            return fail(NEAR_E_NOT_ALLOWED, "the memory of node %u is outside the cpuset (allowed: nodes %s)", number,
                        topology.allowed_nodes().text().c_str());
        }
    }
    return listed;
}

Done check_choices(const near_region_options &options) {
    if (Done ok = check_range("pages", options.pages, NEAR_PAGES_HUGE); !ok) {
        return ok;
    }
    if (Done ok = check_range("prefault", options.prefault, NEAR_PREFAULT_ON_NODE); !ok) {
        return ok;
    }
    if (Done ok = check_range("backing", options.backing, NEAR_BACKING_FILE); !ok) {
        return ok;
    }
    if (Done ok = check_switch("strict", options.strict); !ok) {
        return ok;
    }
    constexpr uint32_t known = NEAR_REGION_READ_ONLY | NEAR_REGION_NO_FORK | NEAR_REGION_NO_DUMP;
    if ((options.flags & ~known) != 0) {
        return fail(NEAR_E_INVALID, "flags is %#" PRIx32 ", and only %#" PRIx32 " are known", options.flags, known);
    }
    if ((options.flags & NEAR_REGION_READ_ONLY) != 0 && options.backing != NEAR_BACKING_FILE) {
        return fail(NEAR_E_INVALID, "NEAR_REGION_READ_ONLY is for files, and this region has none");
    }
    return check_switch("sample", options.sample);
}

Done check_file(std::size_t bytes, const near_region_options &options) {
    const bool file = options.backing == NEAR_BACKING_FILE;
    const bool named = options.path != nullptr;
    if (file && (!named || *options.path == '\0')) {
        return fail(NEAR_E_INVALID, "path is missing: NEAR_BACKING_FILE needs an existing file");
    }
    if (!file && named) {
        return fail(NEAR_E_INVALID, "path is given (%s), and the backing is not NEAR_BACKING_FILE", options.path);
    }
    if (!file && options.file_offset != 0) {
        return fail(NEAR_E_INVALID, "file_offset is %" PRIu64 ", and the backing is not NEAR_BACKING_FILE",
                    options.file_offset);
    }
    if (options.file_offset % base_page_bytes() != 0) {
        return fail(NEAR_E_INVALID, "file_offset is %" PRIu64 ", which is no multiple of the page size, %zu",
                    options.file_offset, base_page_bytes());
    }
    if (options.file_offset > static_cast<uint64_t>(INT64_MAX) - bytes) {
        return fail(NEAR_E_INVALID, "file_offset %" PRIu64 " + %zu bytes overflow", options.file_offset, bytes);
    }
    return {};
}

} // namespace

Result<std::vector<uint32_t>> policy_nodes(const Topology &topology, int32_t policy, const uint32_t *nodes,
                                           std::size_t node_count, bool strict) {
    if (Done ok = check_policy(policy, nodes, node_count); !ok) {
        return ok.error();
    }
    return listed_nodes(topology, policy, nodes, node_count, strict);
}

Result<RegionSpec> region_spec(const Topology &topology, std::size_t bytes, const near_region_options &options) {
    if (Done ok = check_size(bytes, options.pages); !ok) {
        return ok.error();
    }
    if (Done ok = check_policy(options.policy, options.nodes, options.node_count); !ok) {
        return ok.error();
    }
    if (Done ok = check_choices(options); !ok) {
        return ok.error();
    }
    if (Done ok = check_file(bytes, options); !ok) {
        return ok.error();
    }
    Result<std::vector<uint32_t>> nodes =
        listed_nodes(topology, options.policy, options.nodes, options.node_count, options.strict != 0);
    if (!nodes) {
        return nodes.error();
    }
    RegionSpec spec;
    spec.bytes = bytes;
    spec.policy = options.policy;
    spec.nodes = nodes.take();
    spec.pages = options.pages;
    spec.prefault = options.prefault;
    spec.backing = options.backing;
    spec.strict = options.strict != 0;
    spec.flags = options.flags;
    spec.sample = options.sample != 0;
    spec.path = options.path == nullptr ? "" : options.path;
    spec.file_offset = options.file_offset;
    return spec;
}

const char *policy_name(int32_t policy) {
    return name_in(policies, policy);
}

const char *pages_name(int32_t pages) {
    return name_in(page_sizes, pages);
}

const char *prefault_name(int32_t prefault) {
    return name_in(prefaults, prefault);
}

} // namespace nearpool
