// SPDX-License-Identifier: Apache-2.0
// Ports that count their calls, can make any of them fail, and know what was taken and not given back.
#pragma once

#include "fakes/ledger.hpp"
#include "sys/ports.hpp"

namespace nearpool::fakes {

namespace detail {

class FailingMemory final : public MemoryPort {
public:
    FailingMemory(MemoryPort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int map(std::size_t bytes, int protection, int flags, int descriptor, uint64_t offset, void **address) override {
        if (const int error = ledger_.enter(Call::memory_map); error != 0) {
            return error;
        }
        const int result = inner_.map(bytes, protection, flags, descriptor, offset, address);
        if (result == 0) {
            ledger_.mapped(*address, bytes);
        }
        return result;
    }
    int protect(void *address, std::size_t bytes, int protection) override {
        const int error = ledger_.enter(Call::memory_protect);
        return error != 0 ? error : inner_.protect(address, bytes, protection);
    }
    int unmap(void *address, std::size_t bytes) override {
        if (const int error = ledger_.enter(Call::memory_unmap); error != 0) {
            return error;
        }
        // Told first: another thread may be given the same addresses as soon as they are free.
        ledger_.unmapped(address, bytes);
        return inner_.unmap(address, bytes);
    }
    int advise(void *address, std::size_t bytes, int advice) override {
        const int error = ledger_.enter(Call::memory_advise);
        return error != 0 ? error : inner_.advise(address, bytes, advice);
    }
    int lock(void *address, std::size_t bytes) override {
        const int error = ledger_.enter(Call::memory_lock);
        return error != 0 ? error : inner_.lock(address, bytes);
    }
    int unlock(void *address, std::size_t bytes) override {
        const int error = ledger_.enter(Call::memory_unlock);
        return error != 0 ? error : inner_.unlock(address, bytes);
    }
    int create_memfd(const char *name, unsigned flags) override {
        if (const int error = ledger_.enter(Call::memory_create_memfd); error != 0) {
            return error;
        }
        const int descriptor = inner_.create_memfd(name, flags);
        if (descriptor >= 0) {
            ledger_.opened(descriptor);
        }
        return descriptor;
    }

private:
    MemoryPort &inner_;
    Ledger &ledger_;
};

class FailingPolicy final : public PolicyPort {
public:
    FailingPolicy(PolicyPort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int bind(void *address, std::size_t bytes, int mode, const NumberSet &nodes, unsigned flags) override {
        const int error = ledger_.enter(Call::policy_bind);
        return error != 0 ? error : inner_.bind(address, bytes, mode, nodes, flags);
    }
    int set_thread(int mode, const NumberSet &nodes) override {
        const int error = ledger_.enter(Call::policy_set_thread);
        return error != 0 ? error : inner_.set_thread(mode, nodes);
    }
    int get_thread(int *mode, NumberSet *nodes) override {
        const int error = ledger_.enter(Call::policy_get_thread);
        return error != 0 ? error : inner_.get_thread(mode, nodes);
    }
    long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) override {
        const int error = ledger_.enter(nodes == nullptr ? Call::policy_query : Call::policy_move);
        return error != 0 ? error : inner_.move_pages(count, pages, nodes, states, flags);
    }

private:
    PolicyPort &inner_;
    Ledger &ledger_;
};

class FailingAffinity final : public AffinityPort {
public:
    FailingAffinity(AffinityPort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int get(NumberSet *cpus) override {
        const int error = ledger_.enter(Call::affinity_get);
        return error != 0 ? error : inner_.get(cpus);
    }
    int get_process(NumberSet *cpus) override {
        const int error = ledger_.enter(Call::affinity_get);
        return error != 0 ? error : inner_.get_process(cpus);
    }
    int set(const NumberSet &cpus) override {
        const int error = ledger_.enter(Call::affinity_set);
        return error != 0 ? error : inner_.set(cpus);
    }
    int get_of(pid_t thread, NumberSet *cpus) override {
        const int error = ledger_.enter(Call::affinity_get);
        return error != 0 ? error : inner_.get_of(thread, cpus);
    }
    int set_of(pid_t thread, const NumberSet &cpus) override {
        const int error = ledger_.enter(Call::affinity_set);
        return error != 0 ? error : inner_.set_of(thread, cpus);
    }
    int current(uint32_t *cpu, uint32_t *node) override {
        const int error = ledger_.enter(Call::affinity_current);
        return error != 0 ? error : inner_.current(cpu, node);
    }

private:
    AffinityPort &inner_;
    Ledger &ledger_;
};

class FailingFutex final : public FutexPort {
public:
    FailingFutex(FutexPort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int wait(std::atomic<uint32_t> *word, uint32_t expected, uint64_t deadline_ns) override {
        const int error = ledger_.enter(Call::futex_wait);
        return error != 0 ? error : inner_.wait(word, expected, deadline_ns);
    }
    int wake(std::atomic<uint32_t> *word, int count) override {
        const int error = ledger_.enter(Call::futex_wake);
        return error != 0 ? error : inner_.wake(word, count);
    }

private:
    FutexPort &inner_;
    Ledger &ledger_;
};

class FailingFiles final : public FilePort {
public:
    FailingFiles(FilePort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int open(const std::string &path, int flags) override {
        if (const int error = ledger_.enter(Call::files_open); error != 0) {
            return error;
        }
        const int descriptor = inner_.open(path, flags);
        if (descriptor >= 0) {
            ledger_.opened(descriptor);
        }
        return descriptor;
    }
    int close(int descriptor) override {
        if (const int error = ledger_.enter(Call::files_close); error != 0) {
            return error;
        }
        ledger_.closed(descriptor);
        return inner_.close(descriptor);
    }
    int truncate(int descriptor, uint64_t bytes) override {
        const int error = ledger_.enter(Call::files_truncate);
        return error != 0 ? error : inner_.truncate(descriptor, bytes);
    }
    int size(int descriptor, uint64_t *bytes) override {
        const int error = ledger_.enter(Call::files_size);
        return error != 0 ? error : inner_.size(descriptor, bytes);
    }
    int filesystem(int descriptor, long *magic, std::size_t *block_bytes) override {
        const int error = ledger_.enter(Call::files_filesystem);
        return error != 0 ? error : inner_.filesystem(descriptor, magic, block_bytes);
    }
    int read(const std::string &path, std::string *text) override {
        const int error = ledger_.enter(Call::files_read);
        return error != 0 ? error : inner_.read(path, text);
    }
    int read_parts(const std::string &path, const Take &take) override {
        const int error = ledger_.enter(Call::files_read);
        return error != 0 ? error : inner_.read_parts(path, take);
    }
    int list(const std::string &path, std::vector<std::string> *names) override {
        const int error = ledger_.enter(Call::files_list);
        return error != 0 ? error : inner_.list(path, names);
    }
    int read_link(const std::string &path, std::string *target) override {
        const int error = ledger_.enter(Call::files_read);
        return error != 0 ? error : inner_.read_link(path, target);
    }

private:
    FilePort &inner_;
    Ledger &ledger_;
};

class FailingThreads final : public ThreadPort {
public:
    FailingThreads(ThreadPort &inner, Ledger &ledger) : inner_(inner), ledger_(ledger) {}

    int start(pthread_t *thread, void *(*run)(void *), void *argument) override {
        if (const int error = ledger_.enter(Call::threads_start); error != 0) {
            return error;
        }
        ledger_.threads_changed(1);
        const int result = inner_.start(thread, run, argument);
        if (result != 0) {
            ledger_.threads_changed(-1);
        }
        return result;
    }
    int set_name(const std::string &name) override {
        const int error = ledger_.enter(Call::threads_set_name);
        return error != 0 ? error : inner_.set_name(name);
    }
    int join(pthread_t thread) override { return end(Call::threads_join, inner_.join(thread)); }
    int detach(pthread_t thread) override { return end(Call::threads_detach, inner_.detach(thread)); }

private:
    // Really done also when told to fail: a thread that nobody joins would outlive the test.
    int end(Call call, int result) {
        const int error = ledger_.enter(call);
        if (result == 0) {
            ledger_.threads_changed(-1);
        }
        return error != 0 ? error : result;
    }

    ThreadPort &inner_;
    Ledger &ledger_;
};

} // namespace detail

class FailingPorts {
public:
    explicit FailingPorts(const Ports &inner = real_ports())
        : memory_(inner.memory, ledger_), policy_(inner.policy, ledger_), affinity_(inner.affinity, ledger_),
          futex_(inner.futex, ledger_), files_(inner.files, ledger_),
          threads_(inner.threads, ledger_), ports_{memory_, policy_,  affinity_,      futex_,
                                                   files_,  threads_, inner.libraries} {}

    const Ports &ports() const { return ports_; }

    // The n-th call from now (1: the next) answers -error and does nothing. Errors are positive errno values.
    void fail_nth(Call call, uint64_t n, int error) { ledger_.fail_nth(call, n, error); }
    void fail_always(Call call, int error) { ledger_.fail_always(call, error); } // 0: no longer

    // The n-th step from now: any call but those that give back, wait or name.
    void fail_step(uint64_t n, int error) { ledger_.fail_step(n, error); }
    void fail_nothing() { ledger_.fail_nothing(); }

    // What a container's seccomp filter does.
    void forbid_policies(int error) {
        for (const Call call : {Call::policy_bind, Call::policy_set_thread, Call::policy_get_thread, Call::policy_query,
                                Call::policy_move}) {
            fail_always(call, error);
        }
    }

    uint64_t calls() const { return ledger_.calls(); }
    uint64_t calls(Call call) const { return ledger_.calls(call); }
    uint64_t steps() const { return ledger_.steps(); }
    uint64_t failures() const { return ledger_.failures(); } // delivered so far
    Held held() const { return ledger_.held(); }

private:
    Ledger ledger_;
    detail::FailingMemory memory_;
    detail::FailingPolicy policy_;
    detail::FailingAffinity affinity_;
    detail::FailingFutex futex_;
    detail::FailingFiles files_;
    detail::FailingThreads threads_;
    Ports ports_; // libraries are the inner ones: what opening them can do is LibraryPort's to be faked
};

} // namespace nearpool::fakes
