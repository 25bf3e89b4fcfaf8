/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of every public struct on a 64-bit machine. Written by tests/abi/record; compiling it is the test. */
#include <nearpool/affinity.h>
#include <nearpool/capabilities.h>
#include <nearpool/device_map.h>
#include <nearpool/device_near.h>
#include <nearpool/device_pool.h>
#include <nearpool/device_pool_query.h>
#include <nearpool/export.h>
#include <nearpool/level.h>
#include <nearpool/log.h>
#include <nearpool/numa_pool.h>
#include <nearpool/numa_pool_default.h>
#include <nearpool/numa_pool_group.h>
#include <nearpool/numa_pool_run.h>
#include <nearpool/numa_pool_stats.h>
#include <nearpool/pinned.h>
#include <nearpool/pinned_cache.h>
#include <nearpool/pinned_query.h>
#include <nearpool/pinned_request.h>
#include <nearpool/region.h>
#include <nearpool/region_change.h>
#include <nearpool/region_look.h>
#include <nearpool/status.h>
#include <nearpool/stream_pool.h>
#include <nearpool/stream_pool_work.h>
#include <nearpool/task.h>
#include <nearpool/topology.h>
#include <nearpool/topology_memory.h>
#include <nearpool/topology_query.h>
#include <nearpool/version.h>
#include <stddef.h>

#define SIZE(type, bytes) typedef char size_of_##type[sizeof(type) == (bytes) ? 1 : -1]
#define OFFSET(type, member, bytes) typedef char offset_of_##type##_##member[offsetof(type, member) == (bytes) ? 1 : -1]

SIZE(near_pin_options, 8);
OFFSET(near_pin_options, struct_size, 0);
OFFSET(near_pin_options, strict, 4);

SIZE(near_pin_report, 256);
OFFSET(near_pin_report, struct_size, 0);
OFFSET(near_pin_report, level, 4);
OFFSET(near_pin_report, reason_code, 8);
OFFSET(near_pin_report, node, 12);
OFFSET(near_pin_report, cpu_count, 16);
OFFSET(near_pin_report, reason, 20);

SIZE(near_capability, 256);
OFFSET(near_capability, struct_size, 0);
OFFSET(near_capability, available, 4);
OFFSET(near_capability, reason_code, 8);
OFFSET(near_capability, reserved, 12);
OFFSET(near_capability, value, 16);
OFFSET(near_capability, text, 24);

SIZE(near_device_map_options, 8);
OFFSET(near_device_map_options, struct_size, 0);
OFFSET(near_device_map_options, use_driver, 4);

SIZE(near_device, 300);
OFFSET(near_device, struct_size, 0);
OFFSET(near_device, kind, 4);
OFFSET(near_device, node, 8);
OFFSET(near_device, attached_node, 12);
OFFSET(near_device, node_source, 16);
OFFSET(near_device, ordinal, 20);
OFFSET(near_device, name, 24);
OFFSET(near_device, pci_address, 88);
OFFSET(near_device, uuid_text, 120);
OFFSET(near_device, model, 168);
OFFSET(near_device, memory_node, 296);

SIZE(device_pool_options, 40);
OFFSET(device_pool_options, struct_size, 0);
OFFSET(device_pool_options, strict, 4);
OFFSET(device_pool_options, topology, 8);
OFFSET(device_pool_options, ordinals, 16);
OFFSET(device_pool_options, ordinal_count, 24);
OFFSET(device_pool_options, own_contexts, 32);
OFFSET(device_pool_options, reserved, 36);

SIZE(device_pool_facts, 272);
OFFSET(device_pool_facts, struct_size, 0);
OFFSET(device_pool_facts, ordinal, 4);
OFFSET(device_pool_facts, total_bytes, 8);
OFFSET(device_pool_facts, capability_major, 16);
OFFSET(device_pool_facts, capability_minor, 20);
OFFSET(device_pool_facts, node, 24);
OFFSET(device_pool_facts, attached_node, 28);
OFFSET(device_pool_facts, node_source, 32);
OFFSET(device_pool_facts, mig, 36);
OFFSET(device_pool_facts, uuid, 40);
OFFSET(device_pool_facts, uuid_text, 56);
OFFSET(device_pool_facts, pci_address, 104);
OFFSET(device_pool_facts, name, 136);
OFFSET(device_pool_facts, memory_node, 264);
OFFSET(device_pool_facts, reserved, 268);

SIZE(device_pool_memory, 32);
OFFSET(device_pool_memory, struct_size, 0);
OFFSET(device_pool_memory, reserved, 4);
OFFSET(device_pool_memory, total_bytes, 8);
OFFSET(device_pool_memory, free_bytes, 16);
OFFSET(device_pool_memory, reserved_bytes, 24);

SIZE(device_pool_skipped, 256);
OFFSET(device_pool_skipped, struct_size, 0);
OFFSET(device_pool_skipped, ordinal, 4);
OFFSET(device_pool_skipped, status, 8);
OFFSET(device_pool_skipped, native_code, 12);
OFFSET(device_pool_skipped, reason, 16);

SIZE(numa_pool_options, 136);
OFFSET(numa_pool_options, struct_size, 0);
OFFSET(numa_pool_options, steal_policy, 4);
OFFSET(numa_pool_options, topology, 8);
OFFSET(numa_pool_options, nodes, 16);
OFFSET(numa_pool_options, node_count, 24);
OFFSET(numa_pool_options, workers_per_node, 32);
OFFSET(numa_pool_options, strict, 36);
OFFSET(numa_pool_options, queue_capacity, 40);
OFFSET(numa_pool_options, spin_ns, 48);
OFFSET(numa_pool_options, steal_delay_ns, 56);
OFFSET(numa_pool_options, thread_start, 64);
OFFSET(numa_pool_options, thread_stop, 72);
OFFSET(numa_pool_options, user_data, 80);
OFFSET(numa_pool_options, pinned_limit_bytes, 88);
OFFSET(numa_pool_options, core_kind, 96);
OFFSET(numa_pool_options, memory_policy, 100);
OFFSET(numa_pool_options, cpus, 104);
OFFSET(numa_pool_options, cpu_count, 112);
OFFSET(numa_pool_options, excluded_cpus, 120);
OFFSET(numa_pool_options, excluded_count, 128);

SIZE(numa_pool_group_counts, 40);
OFFSET(numa_pool_group_counts, struct_size, 0);
OFFSET(numa_pool_group_counts, cancelled, 4);
OFFSET(numa_pool_group_counts, accepted, 8);
OFFSET(numa_pool_group_counts, run, 16);
OFFSET(numa_pool_group_counts, failed, 24);
OFFSET(numa_pool_group_counts, discarded, 32);

SIZE(numa_pool_info, 872);
OFFSET(numa_pool_info, struct_size, 0);
OFFSET(numa_pool_info, steal_policy, 4);
OFFSET(numa_pool_info, node_count, 8);
OFFSET(numa_pool_info, worker_count, 12);
OFFSET(numa_pool_info, strict, 16);
OFFSET(numa_pool_info, level, 20);
OFFSET(numa_pool_info, reason_code, 24);
OFFSET(numa_pool_info, reason, 28);
OFFSET(numa_pool_info, memory_policy, 256);
OFFSET(numa_pool_info, inherited_policy, 260);
OFFSET(numa_pool_info, loose_failures, 384);
OFFSET(numa_pool_info, first_failure, 392);
OFFSET(numa_pool_info, last_failure, 632);

SIZE(numa_pool_node_info, 256);
OFFSET(numa_pool_node_info, struct_size, 0);
OFFSET(numa_pool_node_info, node, 4);
OFFSET(numa_pool_node_info, serving_node, 8);
OFFSET(numa_pool_node_info, worker_count, 12);
OFFSET(numa_pool_node_info, package, 16);
OFFSET(numa_pool_node_info, level, 20);
OFFSET(numa_pool_node_info, reason_code, 24);
OFFSET(numa_pool_node_info, reason, 28);

SIZE(numa_pool_counts, 80);
OFFSET(numa_pool_counts, struct_size, 0);
OFFSET(numa_pool_counts, reserved, 4);
OFFSET(numa_pool_counts, accepted, 8);
OFFSET(numa_pool_counts, run_local, 16);
OFFSET(numa_pool_counts, run_remote, 24);
OFFSET(numa_pool_counts, failed, 32);
OFFSET(numa_pool_counts, discarded, 40);
OFFSET(numa_pool_counts, queued, 48);
OFFSET(numa_pool_counts, taken, 56);
OFFSET(numa_pool_counts, wakeups, 64);
OFFSET(numa_pool_counts, busy_ns, 72);

SIZE(near_pinned_options, 48);
OFFSET(near_pinned_options, struct_size, 0);
OFFSET(near_pinned_options, strict, 4);
OFFSET(near_pinned_options, pages, 8);
OFFSET(near_pinned_options, flags, 12);
OFFSET(near_pinned_options, methods, 16);
OFFSET(near_pinned_options, reserved, 20);
OFFSET(near_pinned_options, alignment, 24);
OFFSET(near_pinned_options, chunk_bytes, 32);
OFFSET(near_pinned_options, timeout_ns, 40);

SIZE(near_pinned_stats, 96);
OFFSET(near_pinned_stats, struct_size, 0);
OFFSET(near_pinned_stats, reserved, 4);
OFFSET(near_pinned_stats, hits, 8);
OFFSET(near_pinned_stats, misses, 16);
OFFSET(near_pinned_stats, live_count, 24);
OFFSET(near_pinned_stats, live_bytes, 32);
OFFSET(near_pinned_stats, peak_live_bytes, 40);
OFFSET(near_pinned_stats, waiting_bytes, 48);
OFFSET(near_pinned_stats, idle_bytes, 56);
OFFSET(near_pinned_stats, held_bytes, 64);
OFFSET(near_pinned_stats, limit_bytes, 72);
OFFSET(near_pinned_stats, pinning_ns, 80);
OFFSET(near_pinned_stats, bookkeeping_bytes, 88);

SIZE(near_pinned_info, 48);
OFFSET(near_pinned_info, struct_size, 0);
OFFSET(near_pinned_info, method, 4);
OFFSET(near_pinned_info, ordinal, 8);
OFFSET(near_pinned_info, node, 12);
OFFSET(near_pinned_info, device_pointer, 16);
OFFSET(near_pinned_info, bytes, 24);
OFFSET(near_pinned_info, span_bytes, 32);
OFFSET(near_pinned_info, chunk_count, 40);

SIZE(near_pinned_progress, 32);
OFFSET(near_pinned_progress, struct_size, 0);
OFFSET(near_pinned_progress, state, 4);
OFFSET(near_pinned_progress, bytes, 8);
OFFSET(near_pinned_progress, faulted_bytes, 16);
OFFSET(near_pinned_progress, locked_bytes, 24);

SIZE(near_region_options, 64);
OFFSET(near_region_options, struct_size, 0);
OFFSET(near_region_options, policy, 4);
OFFSET(near_region_options, nodes, 8);
OFFSET(near_region_options, node_count, 16);
OFFSET(near_region_options, pages, 24);
OFFSET(near_region_options, prefault, 28);
OFFSET(near_region_options, backing, 32);
OFFSET(near_region_options, strict, 36);
OFFSET(near_region_options, flags, 40);
OFFSET(near_region_options, sample, 44);
OFFSET(near_region_options, path, 48);
OFFSET(near_region_options, file_offset, 56);

SIZE(near_placement, 304);
OFFSET(near_placement, struct_size, 0);
OFFSET(near_placement, level, 4);
OFFSET(near_placement, reason_code, 8);
OFFSET(near_placement, policy, 12);
OFFSET(near_placement, pages, 16);
OFFSET(near_placement, pages_reason, 20);
OFFSET(near_placement, page_bytes, 24);
OFFSET(near_placement, page_count, 32);
OFFSET(near_placement, looked_at_pages, 40);
OFFSET(near_placement, present_pages, 48);
OFFSET(near_placement, near_pages, 56);
OFFSET(near_placement, huge_bytes, 64);
OFFSET(near_placement, reason, 72);

SIZE(near_node_pages, 16);
OFFSET(near_node_pages, node, 0);
OFFSET(near_node_pages, reserved, 4);
OFFSET(near_node_pages, page_count, 8);

SIZE(near_error, 512);
OFFSET(near_error, struct_size, 0);
OFFSET(near_error, status, 4);
OFFSET(near_error, native_domain, 8);
OFFSET(near_error, native_code, 12);
OFFSET(near_error, message, 16);

SIZE(stream_pool_options, 32);
OFFSET(stream_pool_options, struct_size, 0);
OFFSET(stream_pool_options, mode, 4);
OFFSET(stream_pool_options, max_streams, 8);
OFFSET(stream_pool_options, max_leases, 12);
OFFSET(stream_pool_options, priority, 16);
OFFSET(stream_pool_options, reserved, 20);
OFFSET(stream_pool_options, budget_bytes, 24);

SIZE(stream_pool_info, 56);
OFFSET(stream_pool_info, struct_size, 0);
OFFSET(stream_pool_info, mode, 4);
OFFSET(stream_pool_info, ordinal, 8);
OFFSET(stream_pool_info, max_streams, 12);
OFFSET(stream_pool_info, max_leases, 16);
OFFSET(stream_pool_info, made, 20);
OFFSET(stream_pool_info, lent, 24);
OFFSET(stream_pool_info, busy, 28);
OFFSET(stream_pool_info, asked_priority, 32);
OFFSET(stream_pool_info, priority, 36);
OFFSET(stream_pool_info, priority_clamped, 40);
OFFSET(stream_pool_info, reserved, 44);
OFFSET(stream_pool_info, budget_bytes, 48);

SIZE(near_task, 24);
OFFSET(near_task, run, 0);
OFFSET(near_task, discard, 8);
OFFSET(near_task, user_data, 16);

SIZE(near_topology_options, 16);
OFFSET(near_topology_options, struct_size, 0);
OFFSET(near_topology_options, source, 4);
OFFSET(near_topology_options, text, 8);

SIZE(near_topology_info, 344);
OFFSET(near_topology_info, struct_size, 0);
OFFSET(near_topology_info, this_machine, 4);
OFFSET(near_topology_info, synthetic_node, 8);
OFFSET(near_topology_info, node_count, 12);
OFFSET(near_topology_info, cpu_count, 16);
OFFSET(near_topology_info, allowed_cpus, 20);
OFFSET(near_topology_info, core_count, 24);
OFFSET(near_topology_info, package_count, 28);
OFFSET(near_topology_info, cache_count, 32);
OFFSET(near_topology_info, page_bytes, 36);
OFFSET(near_topology_info, memory_bytes, 40);
OFFSET(near_topology_info, basis, 48);
OFFSET(near_topology_info, reserved, 52);
OFFSET(near_topology_info, basis_text, 56);
OFFSET(near_topology_info, doubt, 152);

SIZE(near_node_info, 56);
OFFSET(near_node_info, struct_size, 0);
OFFSET(near_node_info, node, 4);
OFFSET(near_node_info, package, 8);
OFFSET(near_node_info, cpu_count, 12);
OFFSET(near_node_info, allowed_cpus, 16);
OFFSET(near_node_info, memory_allowed, 20);
OFFSET(near_node_info, memory_bytes, 24);
OFFSET(near_node_info, memory_kind, 32);
OFFSET(near_node_info, kind_source, 36);
OFFSET(near_node_info, memory_by_default, 40);
OFFSET(near_node_info, nearest_with_cpus, 44);
OFFSET(near_node_info, memory_side_cache_bytes, 48);

SIZE(near_cpu_info, 40);
OFFSET(near_cpu_info, struct_size, 0);
OFFSET(near_cpu_info, cpu, 4);
OFFSET(near_cpu_info, node, 8);
OFFSET(near_cpu_info, core, 12);
OFFSET(near_cpu_info, package, 16);
OFFSET(near_cpu_info, cache, 20);
OFFSET(near_cpu_info, smt, 24);
OFFSET(near_cpu_info, allowed, 28);
OFFSET(near_cpu_info, core_kind, 32);
OFFSET(near_cpu_info, reserved, 36);

SIZE(near_link, 40);
OFFSET(near_link, struct_size, 0);
OFFSET(near_link, distance, 4);
OFFSET(near_link, bandwidth_mib_per_s, 8);
OFFSET(near_link, latency_ns, 16);
OFFSET(near_link, write_bandwidth_mib_per_s, 24);
OFFSET(near_link, write_latency_ns, 32);

SIZE(near_huge_pool, 16);
OFFSET(near_huge_pool, page_bytes, 0);
OFFSET(near_huge_pool, page_count, 8);

int main(void) {
    return 0;
}
