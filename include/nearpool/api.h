/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_API_H
#define NEARPOOL_API_H

/**
 * @file
 * @brief All functions of nearpool as one table, for programs that load the library with dlopen.
 *
 * @code
 * void *library = dlopen("libnearpool.so", RTLD_NOW | RTLD_LOCAL);
 * const near_api *near = ((near_api_get_fn)dlsym(library, "near_api_get"))(NEAR_ABI_MAJOR, sizeof(near_api));
 * @endcode
 *
 * Written by src/api/generate; do not edit.
 */

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
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What near_api_get() takes as its first argument: the table only grows while this number stays. */
#define NEAR_ABI_MAJOR UINT32_C(0)

/* clang-format off */
/** The functions of the library, under their own names, in an order that never changes. */
typedef struct near_api {
    size_t size; /**< bytes of the library's table; it may be longer than this struct */
    /** @{ */
    /** The function of the same name. */
    near_status (*near_pin_cpus)(const near_topology *topology, const uint32_t *cpus, size_t cpu_count,
        const near_pin_options *options, near_pin **pin, near_error *error);
    near_status (*near_pin_node)(const near_topology *topology, uint32_t node, const near_pin_options *options,
        near_pin **pin, near_error *error);
    near_status (*near_pin_nearest)(const near_topology *topology, uint32_t node, const near_pin_options *options,
        near_pin **pin, near_error *error);
    near_status (*near_pin_get_report)(const near_pin *pin, near_pin_report *report);
    near_status (*near_pin_release)(near_pin *pin, near_error *error);
    near_status (*near_affinity_get)(uint32_t *cpus, size_t capacity, size_t *needed, near_error *error);
    near_status (*near_affinity_set)(const uint32_t *cpus, size_t cpu_count, near_error *error);
    near_status (*near_capabilities_create)(const near_topology *topology, near_capabilities **capabilities,
        near_error *error);
    void (*near_capabilities_destroy)(near_capabilities *capabilities);
    near_status (*near_capabilities_get)(const near_capabilities *capabilities, int32_t which,
        near_capability *capability);
    near_status (*near_capabilities_missing)(const near_capabilities *capabilities, int32_t *missing, size_t capacity,
        size_t *needed);
    const char *(*near_capability_name)(int32_t which);
    const char *(*near_level_name)(int32_t level);
    const char *(*near_reason_name)(int32_t reason);
    near_status (*near_log_set_callback)(near_log_fn callback, void *user_data, int32_t level);
    const char *(*near_log_level_name)(int32_t level);
    near_status (*numa_pool_create)(const numa_pool_options *options, numa_pool **pool, near_error *error);
    near_status (*numa_pool_default)(numa_pool **pool, near_error *error);
    void (*numa_pool_destroy)(numa_pool *pool);
    near_status (*numa_pool_shutdown)(numa_pool *pool, uint64_t timeout_ns, uint64_t *left, near_error *error);
    near_status (*numa_pool_current)(numa_pool **pool, uint32_t *node, uint32_t *worker);
    near_status (*numa_pool_alloc)(numa_pool *pool, uint32_t node, size_t bytes, const near_region_options *options,
        near_region **region, near_error *error);
    const near_topology *(*numa_pool_topology)(const numa_pool *pool);
    near_status (*numa_pool_group_create)(numa_pool *pool, numa_pool_group **group, near_error *error);
    void (*numa_pool_group_destroy)(numa_pool_group *group);
    near_status (*numa_pool_group_submit)(numa_pool_group *group, uint32_t node, numa_pool_task_fn run,
        void *user_data);
    near_status (*numa_pool_group_wait)(numa_pool_group *group, uint64_t timeout_ns, near_error *error);
    near_status (*numa_pool_group_cancel)(numa_pool_group *group);
    near_status (*numa_pool_group_get_counts)(numa_pool_group *group, numa_pool_group_counts *counts);
    near_status (*numa_pool_submit)(numa_pool *pool, uint32_t node, numa_pool_task_fn run, void *user_data);
    near_status (*numa_pool_submit_tasks)(numa_pool *pool, uint32_t node, const near_task *tasks, size_t task_count,
        numa_pool_group *group);
    near_status (*numa_pool_parallel_for)(numa_pool *pool, size_t begin, size_t end, size_t grain,
        numa_pool_range_fn body, void *user_data, near_error *error);
    near_status (*numa_pool_wait_idle)(numa_pool *pool, uint64_t timeout_ns, near_error *error);
    near_status (*numa_pool_get_info)(numa_pool *pool, numa_pool_info *info);
    near_status (*numa_pool_nodes)(const numa_pool *pool, uint32_t *nodes, size_t capacity, size_t *needed);
    near_status (*numa_pool_get_node_info)(numa_pool *pool, uint32_t node, numa_pool_node_info *info);
    near_status (*numa_pool_get_counts)(numa_pool *pool, uint32_t node, numa_pool_counts *counts);
    near_status (*numa_pool_get_steals)(numa_pool *pool, uint64_t *matrix, size_t capacity, size_t *needed);
    const char *(*numa_pool_steal_policy_name)(int32_t steal_policy);
    near_status (*near_region_create)(const near_topology *topology, size_t bytes, const near_region_options *options,
        near_region **region, near_error *error);
    void (*near_region_destroy)(near_region *region);
    void *(*near_region_data)(const near_region *region);
    size_t (*near_region_bytes)(const near_region *region);
    near_status (*near_region_descriptor)(const near_region *region, int32_t *descriptor);
    near_status (*near_region_placement)(near_region *region, near_placement *placement, near_error *error);
    near_status (*near_region_nodes)(near_region *region, near_node_pages *nodes, size_t capacity, size_t *needed,
        near_error *error);
    near_status (*near_region_prefault)(near_region *region, int32_t prefault, near_error *error);
    near_status (*near_region_rebind)(near_region *region, int32_t policy, const uint32_t *nodes, size_t node_count,
        uint32_t strict, near_error *error);
    near_status (*near_region_migrate)(near_region *region, uint32_t node, size_t *moved_pages, near_error *error);
    near_status (*near_region_lock)(near_region *region, uint32_t lock, near_error *error);
    near_status (*near_region_advise)(near_region *region, size_t offset, size_t bytes, int32_t advice,
        near_error *error);
    const char *(*near_policy_name)(int32_t policy);
    const char *(*near_pages_name)(int32_t pages);
    const char *(*near_prefault_name)(int32_t prefault);
    const char *(*near_status_name)(near_status status);
    const char *(*near_status_text)(near_status status);
    near_status (*near_task_fail)(const char *text);
    near_status (*near_topology_create)(const near_topology_options *options, near_topology **topology,
        near_error *error);
    const near_topology *(*near_topology_retain)(const near_topology *topology);
    void (*near_topology_release)(const near_topology *topology);
    near_status (*near_topology_get_info)(const near_topology *topology, near_topology_info *info);
    size_t (*near_topology_node_count)(const near_topology *topology);
    uint32_t (*near_topology_node_at)(const near_topology *topology, size_t index);
    near_status (*near_topology_node_info)(const near_topology *topology, uint32_t node, near_node_info *info);
    near_status (*near_topology_nodes_by_distance)(const near_topology *topology, uint32_t node, uint32_t *nodes,
        size_t capacity, size_t *needed);
    near_status (*near_topology_nearest_with_cpus)(const near_topology *topology, uint32_t node, uint32_t *nearest);
    near_status (*near_topology_nearest_with_memory)(const near_topology *topology, uint32_t node, uint32_t *nearest);
    near_status (*near_topology_cpus)(const near_topology *topology, uint32_t node, uint32_t *cpus, size_t capacity,
        size_t *needed);
    near_status (*near_topology_cpu_info)(const near_topology *topology, uint32_t cpu, near_cpu_info *info);
    near_status (*near_topology_link)(const near_topology *topology, uint32_t from, uint32_t to, near_link *link);
    near_status (*near_topology_huge_pools)(const near_topology *topology, uint32_t node, near_huge_pool *pools,
        size_t capacity, size_t *needed);
    near_status (*near_topology_current_node)(const near_topology *topology, uint32_t *node);
    near_status (*near_topology_pci_node)(const near_topology *topology, const char *address, uint32_t *node,
        near_error *error);
    near_status (*near_topology_format)(const near_topology *topology, int32_t format, char *buffer, size_t capacity,
        size_t *needed, near_error *error);
    uint32_t (*near_version)(void);
    const char *(*near_node_source_name)(int32_t source);
    near_status (*device_pool_create)(const device_pool_options *options, device_pool **pool, near_error *error);
    near_status (*device_pool_default)(device_pool **pool, near_error *error);
    void (*device_pool_destroy)(device_pool *pool);
    size_t (*device_pool_count)(const device_pool *pool);
    near_status (*device_pool_at)(const device_pool *pool, size_t index, int32_t *ordinal);
    near_status (*device_pool_next)(device_pool *pool, int32_t *ordinal);
    near_status (*device_pool_context)(device_pool *pool, int32_t ordinal, void **context, near_error *error);
    near_status (*device_pool_context_at)(device_pool *pool, size_t index, void **context, near_error *error);
    near_status (*device_pool_push)(device_pool *pool, int32_t ordinal, near_error *error);
    near_status (*device_pool_pop)(near_error *error);
    near_status (*device_pool_get_facts)(const device_pool *pool, int32_t ordinal, device_pool_facts *facts);
    near_status (*device_pool_node)(const device_pool *pool, int32_t ordinal, uint32_t *node);
    near_status (*device_pool_get_memory)(device_pool *pool, int32_t ordinal, device_pool_memory *memory,
        near_error *error);
    near_status (*device_pool_best)(device_pool *pool, int32_t criterion, uint32_t node, int32_t *ordinal,
        near_error *error);
    near_status (*device_pool_get_peers)(device_pool *pool, uint32_t *peers, size_t capacity, size_t *needed,
        near_error *error);
    near_status (*device_pool_get_skipped)(const device_pool *pool, size_t index, device_pool_skipped *skipped,
        size_t *count);
    near_status (*device_pool_describe)(const device_pool *pool, char *buffer, size_t capacity, size_t *needed,
        near_error *error);
    near_status (*numa_pool_submit_near)(numa_pool *pool, device_pool *devices, int32_t ordinal, numa_pool_task_fn run,
        void *user_data);
    near_status (*near_pin_device)(device_pool *devices, int32_t ordinal, const near_pin_options *options,
        near_pin **pin, near_error *error);
    near_status (*stream_pool_create)(device_pool *devices, int32_t ordinal, const stream_pool_options *options,
        stream_pool **pool, near_error *error);
    void (*stream_pool_destroy)(stream_pool *pool);
    near_status (*stream_pool_acquire)(stream_pool *pool, uint64_t *id);
    near_status (*stream_pool_release)(stream_pool *pool, uint64_t id);
    near_status (*stream_pool_resolve)(const stream_pool *pool, uint64_t id, void **stream);
    near_status (*stream_pool_adopt)(stream_pool *pool, void *stream, uint64_t *id, near_error *error);
    near_status (*stream_pool_get_info)(const stream_pool *pool, stream_pool_info *info);
    const char *(*stream_pool_mode_name)(int32_t mode);
    near_status (*stream_pool_query)(stream_pool *pool, uint64_t id, uint32_t *done, near_error *error);
    near_status (*stream_pool_synchronize)(stream_pool *pool, uint64_t id, uint64_t timeout_ns, near_error *error);
    near_status (*stream_pool_wait_on)(stream_pool *pool, uint64_t id, stream_pool *other, uint64_t other_id,
        near_error *error);
    near_status (*stream_pool_then)(stream_pool *pool, uint64_t id, numa_pool *workers, numa_pool_task_fn run,
        void *user_data, near_error *error);
    near_status (*stream_pool_then_task)(stream_pool *pool, uint64_t id, numa_pool *workers, const near_task *task,
        numa_pool_group *group, near_error *error);
    near_status (*stream_pool_reserve)(stream_pool *pool, uint64_t id, uint64_t bytes);
    near_status (*stream_pool_unreserve)(stream_pool *pool, uint64_t id, uint64_t bytes);
    uint64_t (*stream_pool_planned_budget)(uint64_t arms, uint64_t streams);
    near_status (*numa_pool_submit_tasks_near)(numa_pool *pool, device_pool *devices, int32_t ordinal,
        const near_task *tasks, size_t task_count, numa_pool_group *group);
    near_status (*near_device_map_create)(const near_topology *topology, const near_device_map_options *options,
        near_device_map **map, near_error *error);
    void (*near_device_map_destroy)(near_device_map *map);
    size_t (*near_device_map_count)(const near_device_map *map);
    near_status (*near_device_map_get)(const near_device_map *map, size_t index, near_device *device);
    near_status (*near_device_map_find)(const near_device_map *map, const char *name, near_device *device,
        near_error *error);
    near_status (*near_device_map_format)(const near_device_map *map, int32_t format, char *buffer, size_t capacity,
        size_t *needed, near_error *error);
    const char *(*near_device_kind_name)(int32_t kind);
    near_status (*numa_pool_alloc_pinned)(numa_pool *pool, device_pool *devices, int32_t ordinal, size_t bytes,
        const near_pinned_options *options, near_pinned **pinned, near_error *error);
    near_status (*numa_pool_adopt_pinned)(numa_pool *pool, device_pool *devices, int32_t ordinal, void *data,
        size_t bytes, const near_pinned_options *options, near_pinned **pinned, near_error *error);
    void (*near_pinned_free)(near_pinned *pinned);
    void *(*near_pinned_data)(const near_pinned *pinned);
    size_t (*near_pinned_bytes)(const near_pinned *pinned);
    near_status (*near_pinned_used_on)(near_pinned *pinned, stream_pool *streams, uint64_t id);
    near_status (*near_pinned_free_after)(near_pinned *pinned, stream_pool *streams, uint64_t id);
    near_status (*numa_pool_trim_pinned)(numa_pool *pool, device_pool *devices, uint32_t node, size_t keep_bytes,
        size_t *freed_bytes, near_error *error);
    near_status (*numa_pool_pinned_stats)(numa_pool *pool, device_pool *devices, uint32_t node,
        near_pinned_stats *stats, near_error *error);
    near_status (*near_pinned_get_info)(const near_pinned *pinned, near_pinned_info *info, near_error *error);
    near_status (*near_pinned_placement)(const near_pinned *pinned, near_placement *placement, near_error *error);
    near_status (*near_pinned_nodes)(const near_pinned *pinned, near_node_pages *nodes, size_t capacity, size_t *needed,
        near_error *error);
    near_status (*near_pinned_reason)(const near_pinned *pinned, int32_t method, int32_t *reason_code, char *text,
        size_t capacity);
    near_status (*near_pinned_descriptor)(const near_pinned *pinned, int32_t *descriptor);
    const char *(*near_pinned_method_name)(int32_t method);
    near_status (*numa_pool_request_pinned)(numa_pool *pool, device_pool *devices, int32_t ordinal, size_t bytes,
        const near_pinned_options *options, near_pinned_request **request, near_error *error);
    near_status (*near_pinned_request_wait)(near_pinned_request *request, uint64_t timeout_ns, near_pinned **pinned,
        near_error *error);
    near_status (*near_pinned_request_then)(near_pinned_request *request, numa_pool *workers, uint32_t node,
        const near_task *task, numa_pool_group *group, near_error *error);
    near_status (*near_pinned_request_progress)(const near_pinned_request *request, near_pinned_progress *progress);
    near_status (*near_pinned_request_cancel)(near_pinned_request *request);
    void (*near_pinned_request_destroy)(near_pinned_request *request);
    near_status (*near_topology_initiators)(const near_topology *topology, uint32_t node, uint32_t *nodes,
        size_t capacity, size_t *needed);
    near_status (*near_topology_memory_nodes)(const near_topology *topology, uint32_t *nodes, size_t capacity,
        size_t *needed);
    near_status (*near_topology_best_memory)(const near_topology *topology, uint32_t from, int32_t by, uint32_t *node);
    const char *(*near_memory_kind_name)(int32_t kind);
    const char *(*near_memory_kind_source_name)(int32_t source);
    const char *(*near_core_kind_name)(int32_t kind);
    near_status (*near_pinned_look)(const near_pinned *pinned, near_placement *placement, near_node_pages *nodes,
        size_t capacity, size_t *needed, near_error *error);
    near_status (*near_region_look)(near_region *region, near_placement *placement, near_node_pages *nodes,
        size_t capacity, size_t *needed, near_error *error);
    near_status (*near_device_map_near_nodes)(const near_device_map *map, size_t index, uint32_t *nodes,
        size_t capacity, size_t *needed);
    const char *(*numa_pool_memory_policy_name)(int32_t memory_policy);
    near_status (*numa_pool_limit_default)(uint32_t workers, near_error *error);
    /** @} */
} near_api;
/* clang-format on */

/**
 * @brief The table of the library's functions.
 *
 * @param[in] abi_major    ::NEAR_ABI_MAJOR of the headers that the caller was built with.
 * @param[in] needed_size  bytes of the table that the caller will use: sizeof(near_api).
 * @return the table, the same one at each call, also after a dlclose and another dlopen; NULL when the library has
 *         another ABI, or a table shorter than needed_size because it is older than the caller.
 *
 * @owner    The library's; valid for ever, because the library stays loaded.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const near_api *near_api_get(uint32_t abi_major, size_t needed_size);

/** The type of near_api_get(), for the result of dlsym. */
typedef const near_api *(*near_api_get_fn)(uint32_t abi_major, size_t needed_size);

#ifdef __cplusplus
}
#endif

#endif
