// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const (
	taskCount = 100
	wordCount = 1 << 17
)

// home is what the program has on one node.
type home struct {
	node, servingNode uint32
	buffer            *Buffer
	ran, ranLocal     atomic.Uint64
}

func settle(pool *Pool, node uint32) (*home, error) {
	serving, workers, err := pool.ServingNode(node)
	if err != nil {
		return nil, err
	}
	buffer, err := pool.Alloc(node, wordCount)
	if err != nil {
		return nil, err
	}
	for i := range buffer.Words {
		buffer.Words[i] = uint64(i) + 1
	}
	near, all, level, reason, err := buffer.Where()
	fmt.Printf("node %d: %d workers, %d of %d pages near, %s %s\n", node, workers, near, all, level, reason)
	return &home{node: node, servingNode: serving, buffer: buffer}, err
}

func (h *home) addUp() error {
	var sum uint64
	for _, word := range h.buffer.Words {
		sum += word
	}
	if sum != wordCount*(wordCount+1)/2 {
		return errors.New("the buffer does not add up")
	}
	node, err := currentNode()
	if err != nil {
		return err
	}
	h.ran.Add(1)
	if node == h.servingNode {
		h.ranLocal.Add(1)
	}
	return nil
}

func runTasks(pool *Pool, homes []*home) (time.Duration, error) {
	start := time.Now()
	for i := 0; i < taskCount; i++ {
		h := homes[i%len(homes)]
		if err := pool.Submit(h.node, h.addUp); err != nil {
			return 0, err
		}
	}
	err := pool.WaitIdle()
	return time.Since(start), err
}

func report(pool *Pool, homes []*home, elapsed time.Duration) error {
	workers, policy, err := pool.Kind()
	if err != nil {
		return err
	}
	local, remote, failed, err := pool.Counts()
	if err != nil {
		return err
	}
	var ran, ranLocal uint64
	for _, h := range homes {
		ran += h.ran.Load()
		ranLocal += h.ranLocal.Load()
	}
	fmt.Printf("%d workers, steal %s; %d tasks completed in %.3f ms, %.0f per second; local share %.1f %%\n", workers,
		policy, ran, float64(elapsed.Microseconds())/1e3, float64(ran)/elapsed.Seconds(),
		100*float64(local)/float64(local+remote))
	if ran != taskCount || local+remote != ran || local != ranLocal || failed != 0 {
		return fmt.Errorf("%d of %d tasks ran, %d failed", ran, taskCount, failed)
	}
	return nil
}

func work(pool *Pool) error {
	nodes, err := pool.Nodes()
	if err != nil {
		return err
	}
	var homes []*home
	for _, node := range nodes {
		h, err := settle(pool, node)
		if err != nil {
			return err
		}
		homes = append(homes, h)
		defer h.buffer.Free()
	}
	elapsed, err := runTasks(pool, homes)
	// Also after a failure: the buffers are freed only when no task uses them any more.
	if _, stopped := pool.Shutdown(10 * time.Second); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	return report(pool, homes, elapsed)
}

func run() error {
	strict, why, err := strictMode()
	if err != nil {
		return err
	}
	fmt.Printf("nodes %d, strict mode %t: %s\n", nodeCount(), strict, why)
	pool, err := NewPool(2)
	if err != nil {
		return err
	}
	defer pool.Destroy()
	return work(pool)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
