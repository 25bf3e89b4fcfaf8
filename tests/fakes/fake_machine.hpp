// SPDX-License-Identifier: Apache-2.0
// A machine with several nodes in a few lines: memory is real, and where its pages are is made up. A page gets its node
// when it is populated by advise(), or, when a program has touched it directly, at the first look at it, as if the
// looking thread had touched it.
#pragma once

#include "fakes/fake_files.hpp"
#include "fakes/fake_nodes.hpp"

#include <utility>
#include <vector>

namespace nearpool::fakes {

class FakeMachine {
public:
    explicit FakeMachine(std::vector<FakeNode> nodes)
        : nodes_(std::move(nodes)), memory_(nodes_), policy_(nodes_), affinity_(nodes_) {}

    Ports ports() {
        const Ports &real = real_ports();
        return Ports{memory_, policy_, affinity_, real.futex, files_, real.threads, real.libraries};
    }
    FakeFiles &files() { return files_; }
    FakeNodes &nodes() { return nodes_; } // full nodes, refused moves, allowed CPUs

    // Node of the page, or -errno, as a look says.
    int node_of(void *address) {
        int state = 0;
        nodes_.look_or_move(1, &address, nullptr, &state, 0);
        return state;
    }

private:
    class Memory final : public MemoryPort {
    public:
        explicit Memory(FakeNodes &nodes) : nodes_(nodes) {}
        int map(std::size_t bytes, int protection, int flags, int descriptor, uint64_t offset,
                void **address) override {
            const int result = real_ports().memory.map(bytes, protection, flags, descriptor, offset, address);
            if (result == 0) {
                nodes_.forget(*address, bytes, true);
            }
            return result;
        }
        int protect(void *address, std::size_t bytes, int protection) override {
            return real_ports().memory.protect(address, bytes, protection);
        }
        int unmap(void *address, std::size_t bytes) override {
            nodes_.forget(address, bytes, true);
            return real_ports().memory.unmap(address, bytes);
        }
        int advise(void *address, std::size_t bytes, int advice) override {
            if (advice == sys::advice_populate_write || advice == sys::advice_populate_read) {
                if (const int error = nodes_.populate(address, bytes); error != 0) {
                    return error;
                }
            }
            const int result = real_ports().memory.advise(address, bytes, advice);
            if (result == 0 && (advice == sys::advice_dont_need || advice == sys::advice_remove)) {
                nodes_.forget(address, bytes, false);
            }
            return result;
        }
        int lock(void *address, std::size_t bytes) override { return real_ports().memory.lock(address, bytes); }
        int unlock(void *address, std::size_t bytes) override { return real_ports().memory.unlock(address, bytes); }
        int create_memfd(const char *name, unsigned flags) override {
            return real_ports().memory.create_memfd(name, flags);
        }

    private:
        FakeNodes &nodes_;
    };

    class Policies final : public PolicyPort {
    public:
        explicit Policies(FakeNodes &nodes) : nodes_(nodes) {}
        int bind(void *address, std::size_t bytes, int mode, const NumberSet &nodes, unsigned flags) override {
            return nodes_.bind(address, bytes, FakePolicy{mode, nodes}, flags);
        }
        int set_thread(int mode, const NumberSet &nodes) override {
            return nodes_.set_thread_policy(FakePolicy{mode, nodes});
        }
        int get_thread(int *mode, NumberSet *nodes) override {
            const FakePolicy policy = nodes_.thread_policy();
            *mode = policy.mode;
            *nodes = policy.nodes;
            return 0;
        }
        long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) override {
            return nodes_.look_or_move(count, pages, nodes, states, flags);
        }

    private:
        FakeNodes &nodes_;
    };

    class Affinity final : public AffinityPort {
    public:
        explicit Affinity(FakeNodes &nodes) : nodes_(nodes) {}
        int get(NumberSet *cpus) override {
            *cpus = nodes_.affinity();
            return 0;
        }
        int get_process(NumberSet *cpus) override { return get(cpus); } // it has one thread
        int set(const NumberSet &cpus) override { return nodes_.set_affinity(cpus); }
        int get_of(pid_t thread, NumberSet *cpus) override {
            *cpus = nodes_.affinity(thread);
            return 0;
        }
        int set_of(pid_t thread, const NumberSet &cpus) override { return nodes_.set_affinity(thread, cpus); }
        int current(uint32_t *cpu, uint32_t *node) override {
            nodes_.current(cpu, node);
            return 0;
        }

    private:
        FakeNodes &nodes_;
    };

    FakeNodes nodes_;
    FakeFiles files_;
    Memory memory_;
    Policies policy_;
    Affinity affinity_;
};

} // namespace nearpool::fakes
