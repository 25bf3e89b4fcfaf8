// SPDX-License-Identifier: Apache-2.0
// The outside world as replaceable ports. Everything above reaches the kernel through these, so that a test can answer
// in its place or make the n-th call fail. Unless it says otherwise, a call returns 0 (or the number asked for) or
// -errno, never sets errno, and has no opinion.
#pragma once

#include "base/number_set.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <pthread.h>
#include <string>
#include <sys/types.h>
#include <vector>

namespace nearpool {

// Mappings. Protection, flags and advice are the kernel's numbers; see sys/constants.hpp.
class MemoryPort {
public:
    virtual ~MemoryPort() = default;
    virtual int map(std::size_t bytes, int protection, int flags, int descriptor, uint64_t offset, void **address) = 0;
    virtual int protect(void *address, std::size_t bytes, int protection) = 0;
    virtual int unmap(void *address, std::size_t bytes) = 0;
    virtual int advise(void *address, std::size_t bytes, int advice) = 0;
    virtual int lock(void *address, std::size_t bytes) = 0;
    virtual int unlock(void *address, std::size_t bytes) = 0;
    virtual int create_memfd(const char *name, unsigned flags) = 0; // a descriptor
};

// Memory policies of ranges and of the calling thread, and where pages are. Modes and flags are the kernel's numbers.
class PolicyPort {
public:
    virtual ~PolicyPort() = default;
    virtual int bind(void *address, std::size_t bytes, int mode, const NumberSet &nodes, unsigned flags) = 0;
    virtual int set_thread(int mode, const NumberSet &nodes) = 0;
    virtual int get_thread(int *mode, NumberSet *nodes) = 0;
    // nodes NULL: writes each page's node, or -errno, to states. Otherwise moves page i to nodes[i]. May return a
    // positive count of pages that were not moved.
    virtual long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) = 0;
};

class AffinityPort {
public:
    virtual ~AffinityPort() = default;
    virtual int get(NumberSet *cpus) = 0;         // of the calling thread
    virtual int get_process(NumberSet *cpus) = 0; // of the process: its first thread's, as taskset -p shows it
    virtual int set(const NumberSet &cpus) = 0;
    // The same of a thread of this process that does not end meanwhile, by its this_thread_id().
    virtual int get_of(pid_t thread, NumberSet *cpus) = 0;
    virtual int set_of(pid_t thread, const NumberSet &cpus) = 0;
    virtual int current(uint32_t *cpu, uint32_t *node) = 0;
};

class FutexPort {
public:
    virtual ~FutexPort() = default;
    // Waits while *word is `expected`, until `deadline_ns` of the monotonic clock at the latest (UINT64_MAX: for ever).
    // 0, or -ETIMEDOUT, -EAGAIN, -EINTR.
    virtual int wait(std::atomic<uint32_t> *word, uint32_t expected, uint64_t deadline_ns) = 0;
    virtual int wake(std::atomic<uint32_t> *word, int count) = 0; // how many were woken
};

class FilePort {
public:
    virtual ~FilePort() = default;
    virtual int open(const std::string &path, int flags) = 0; // a descriptor, close-on-exec
    virtual int close(int descriptor) = 0;
    virtual int truncate(int descriptor, uint64_t bytes) = 0;
    virtual int size(int descriptor, uint64_t *bytes) = 0;
    virtual int filesystem(int descriptor, long *magic, std::size_t *block_bytes) = 0; // blocks of hugetlbfs: its pages
    virtual int read(const std::string &path, std::string *text) = 0;                  // all of it
    // Gives the text to `take` part by part until that answers false: for what the kernel writes while it is read.
    using Take = std::function<bool(const char *part, std::size_t count)>;
    virtual int read_parts(const std::string &path, const Take &take) = 0;
    virtual int list(const std::string &path, std::vector<std::string> *names) = 0;
    virtual int read_link(const std::string &path, std::string *target) = 0; // of a symbolic link, as it is written
};

class ThreadPort {
public:
    virtual ~ThreadPort() = default;
    // Starts a joinable thread with all asynchronous signals blocked; those that tell of a fault of the thread itself,
    // SIGABRT, SIGSYS and SIGPROF are open in it, whatever the caller blocks.
    virtual int start(pthread_t *thread, void *(*run)(void *), void *argument) = 0;
    virtual int set_name(const std::string &name) = 0; // of the calling thread; cut at 15 bytes
    virtual int join(pthread_t thread) = 0;
    virtual int detach(pthread_t thread) = 0;
};

// Shared libraries, found as the dynamic linker finds them. What was opened is never closed.
class LibraryPort {
public:
    virtual ~LibraryPort() = default;
    // The one that is loaded already, if there is one. nullptr: `why` has the dynamic linker's words.
    virtual void *open(const std::string &name, std::string *why) = 0;
    virtual void *symbol(void *library, const char *name) = 0; // nullptr: it has none
};

// One machine's world. Objects take it in their constructors and keep the references.
struct Ports {
    MemoryPort &memory;
    PolicyPort &policy;
    AffinityPort &affinity;
    FutexPort &futex;
    FilePort &files;
    ThreadPort &threads;
    LibraryPort &libraries;
};

// The running kernel. Never destroyed.
const Ports &real_ports();

std::size_t base_page_bytes();
pid_t this_thread_id(); // the kernel's number of it

} // namespace nearpool
