// SPDX-License-Identifier: Apache-2.0

// The worker-pool example in Go: functions as tasks, each adding up a buffer of its node.
package main

/*
#cgo pkg-config: nearpool
#include <nearpool/nearpool.h>

extern near_status goRunTask(void *task);

static near_status submit_go(numa_pool *pool, uint32_t node, void *task) {
    return numa_pool_submit(pool, node, goRunTask, task);
}
*/
import "C"

import (
	"errors"
	"time"
	"unsafe"
)

const unknownNode = uint32(0xffffffff) // NEAR_NODE_UNKNOWN

func check(status C.near_status) error {
	if status == C.NEAR_OK {
		return nil
	}
	return errors.New(C.GoString(C.near_status_text(status)))
}

// explain calls a function that says what went wrong.
func explain(call func(why *C.near_error) C.near_status) error {
	why := C.near_error{struct_size: C.sizeof_near_error}
	if call(&why) == C.NEAR_OK {
		return nil
	}
	return errors.New(C.GoString(&why.message[0]))
}

func nodeCount() int { return int(C.near_topology_node_count(nil)) }

// strictMode says whether strict mode is available, and why.
func strictMode() (bool, string, error) {
	var capabilities *C.near_capabilities
	err := explain(func(why *C.near_error) C.near_status { return C.near_capabilities_create(nil, &capabilities, why) })
	if err != nil {
		return false, "", err
	}
	defer C.near_capabilities_destroy(capabilities)
	strict := C.near_capability{struct_size: C.sizeof_near_capability}
	err = check(C.near_capabilities_get(capabilities, C.NEAR_CAPABILITY_STRICT, &strict))
	return strict.available == 1, C.GoString(&strict.text[0]), err
}

// currentNode is the node of the worker that runs the calling task.
func currentNode() (uint32, error) {
	node := C.uint32_t(unknownNode)
	err := check(C.numa_pool_current(nil, &node, nil))
	return uint32(node), err
}

// Buffer is numbers in memory of one node, outside Go's heap.
type Buffer struct {
	region *C.near_region
	Words  []uint64
}

// Where describes the pages of a buffer, after a look at them.
func (b *Buffer) Where() (near, all uint64, level, reason string, err error) {
	where := C.near_placement{struct_size: C.sizeof_near_placement}
	err = explain(func(why *C.near_error) C.near_status { return C.near_region_placement(b.region, &where, why) })
	level = C.GoString(C.near_level_name(where.level))
	return uint64(where.near_pages), uint64(where.page_count), level, C.GoString(&where.reason[0]), err
}

func (b *Buffer) Free() { C.near_region_destroy(b.region) }

// Pool runs Go functions on the workers of nodes.
type Pool struct{ handle *C.numa_pool }

func NewPool(workersPerNode uint32) (*Pool, error) {
	options := C.numa_pool_options{struct_size: C.sizeof_numa_pool_options, workers_per_node: C.uint32_t(workersPerNode)}
	pool := &Pool{}
	err := explain(func(why *C.near_error) C.near_status { return C.numa_pool_create(&options, &pool.handle, why) })
	return pool, err
}

func (p *Pool) Nodes() ([]uint32, error) {
	var needed C.size_t
	if err := check(C.numa_pool_nodes(p.handle, nil, 0, &needed)); err != nil {
		return nil, err
	}
	nodes := make([]uint32, needed)
	err := check(C.numa_pool_nodes(p.handle, (*C.uint32_t)(&nodes[0]), needed, &needed))
	return nodes, err
}

// ServingNode is the node whose workers run a node's tasks, and how many workers the node itself has.
func (p *Pool) ServingNode(node uint32) (serving, workers uint32, err error) {
	info := C.numa_pool_node_info{struct_size: C.sizeof_numa_pool_node_info}
	err = check(C.numa_pool_get_node_info(p.handle, C.uint32_t(node), &info))
	return uint32(info.serving_node), uint32(info.worker_count), err
}

// Kind is the number of workers and the name of the steal policy.
func (p *Pool) Kind() (workers uint32, policy string, err error) {
	info := C.numa_pool_info{struct_size: C.sizeof_numa_pool_info}
	err = check(C.numa_pool_get_info(p.handle, &info))
	return uint32(info.worker_count), C.GoString(C.numa_pool_steal_policy_name(info.steal_policy)), err
}

// Counts is what the pool has counted by itself.
func (p *Pool) Counts() (local, remote, failed uint64, err error) {
	counts := C.numa_pool_counts{struct_size: C.sizeof_numa_pool_counts}
	err = check(C.numa_pool_get_counts(p.handle, C.uint32_t(unknownNode), &counts))
	return uint64(counts.run_local), uint64(counts.run_remote), uint64(counts.failed), err
}

func (p *Pool) Alloc(node uint32, words int) (*Buffer, error) {
	buffer := &Buffer{}
	err := explain(func(why *C.near_error) C.near_status {
		return C.numa_pool_alloc(p.handle, C.uint32_t(node), C.size_t(words*8), nil, &buffer.region, why)
	})
	if err == nil {
		buffer.Words = unsafe.Slice((*uint64)(C.near_region_data(buffer.region)), words)
	}
	return buffer, err
}

// Submit runs a function on a worker of a node. What crosses to C is a handle in C's memory, never a Go pointer.
func (p *Pool) Submit(node uint32, run func() error) error {
	slot := newSlot(run)
	status := C.submit_go(p.handle, C.uint32_t(node), slot)
	if status != C.NEAR_OK {
		takeSlot(slot).Delete() // nothing was queued
	}
	return check(status)
}

func (p *Pool) WaitIdle() error {
	return explain(func(why *C.near_error) C.near_status {
		return C.numa_pool_wait_idle(p.handle, C.NEAR_FOREVER, why)
	})
}

// Shutdown returns how many tasks were left when the time was over.
func (p *Pool) Shutdown(limit time.Duration) (left uint64, err error) {
	var rest C.uint64_t
	err = explain(func(why *C.near_error) C.near_status {
		return C.numa_pool_shutdown(p.handle, C.uint64_t(limit.Nanoseconds()), &rest, why)
	})
	return uint64(rest), err
}

func (p *Pool) Destroy() { C.numa_pool_destroy(p.handle) }
