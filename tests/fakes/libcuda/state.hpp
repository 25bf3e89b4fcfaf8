// SPDX-License-Identifier: Apache-2.0
// What the fake driver knows: the process's phase, contexts, streams, events; and what each thread has of its own.
#pragma once

#include "arena.hpp"
#include "calls.hpp"
#include "config.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fakes::cuda {

struct Capture;
struct Stream;

struct Context {
    std::atomic<bool> alive{false};
    std::atomic<CUresult> error{cuda_success}; // sticky: the context is lost
    std::atomic<Stream *> legacy{nullptr};
    int device = 0;
    unsigned flags = 0;
    unsigned api_version = 0;
    bool primary = false;
    uint64_t id = 0;
    std::set<Context *> peers; // under Driver::mutex
};

/// One piece of a stream's work. status is not success when the context has been lost or destroyed before its turn.
using Work = std::function<void(Stream &stream, CUresult status)>;

enum class StreamKind {
    made,
    legacy,     // the default stream of a context
    per_thread, // the default stream of a thread
};

// On cache lines of its own, as an event is: threads with different ones do not slow each other down.
struct alignas(64) Stream {
    std::atomic<bool> alive{false};
    std::atomic<bool> cut{false}; // waits end now: the context goes
    std::atomic<CUstreamCaptureStatus> capture_status{capture_status_none};
    // Work is numbered from 1 in the order of its coming. The numbers go on when a stream is made again from the same
    // memory, so that an event's mark stays true.
    std::atomic<uint64_t> submitted{0};
    std::atomic<uint64_t> completed{0};
    std::atomic<uint64_t> holds{0}; // gates, counted
    std::atomic<uint64_t> let_go{0};
    std::atomic<Context *> context{nullptr};
    Capture *capture = nullptr; // under capture_mutex()
    uint64_t id = 0;
    unsigned flags = 0;
    int priority = 0;
    StreamKind kind = StreamKind::made;

    std::mutex mutex; // of what follows
    std::condition_variable has_work;
    std::deque<Work> queue;
    bool has_thread = false;
    bool closing = false;

    bool idle() const { return completed.load() >= submitted.load(); }
    bool is_legacy() const { return kind == StreamKind::legacy; }
    bool blocks_with_legacy() const { return (flags & stream_non_blocking) == 0; }
    Context &home() const { return *context.load(std::memory_order_relaxed); }
};

struct alignas(64) Event {
    std::atomic<bool> alive{false};
    std::atomic<bool> captured{false};
    std::atomic<uint64_t> mark{0}; // stream's index << 48 | the number of its last work; 0: never recorded
    std::atomic<Context *> context{nullptr};
    Capture *capture = nullptr; // of the last record, only compared; under capture_mutex()
    unsigned flags = 0;

    Context &home() const { return *context.load(std::memory_order_relaxed); }
};

constexpr std::size_t context_capacity = 1 << 16;
constexpr std::size_t stream_capacity = 1 << 16; // an event's mark has 16 bits for it
constexpr std::size_t event_capacity = 1 << 18;
constexpr unsigned mark_shift = 48;

struct Device {
    DeviceConfig config;
    std::atomic<uint64_t> used{0};
    Context *primary = nullptr; // these under Driver::mutex
    uint64_t primary_references = 0;
    unsigned primary_flags = 0;
};

/// Never destroyed: other threads may still run when the process ends.
struct Driver {
    std::mutex mutex; // of what calls change rarely: devices, configuration, contexts
    Config config;
    std::string config_text;
    std::vector<std::unique_ptr<Device>> devices;
    Arena<Context, context_capacity> contexts;
    Arena<Stream, stream_capacity> streams;
    Arena<Event, event_capacity> events;
    std::atomic<uint64_t> next_id{1};
    std::atomic<uint64_t> stream_count{0};
    std::atomic<int> version{0};
    std::atomic<int> thread_count{0}; // of streams
};
Driver &driver();

/// Why calls do not just go ahead: 0 when they do. One load decides.
enum Obstacle : uint32_t {
    obstacle_none = 0,
    obstacle_fresh = 1,    // no cuInit yet
    obstacle_forked = 2,   // this is a child
    obstacle_teardown = 4, // the driver has gone
    obstacle_stub = 8,
    obstacle_hooks = 16, // log, failures or latencies: take the long way
};
extern std::atomic<uint32_t> obstacles;

constexpr unsigned stack_capacity = 256;

struct ThreadState {
    Context *stack[stack_capacity];
    unsigned depth;
    uint64_t epoch;
    CUstreamCaptureMode capture_mode;
    bool in_callback;
    bool default_is_per_thread; // during a call of a twin
    std::vector<Stream *> default_streams;
    std::atomic<uint64_t> calls[symbol_count]; // written by this thread alone
    std::atomic<bool> in_use;
    ThreadState *next;

    Context *current() const { return depth == 0 ? nullptr : stack[depth - 1]; }
};

ThreadState &this_thread();

/// The number of calls of an entry point since the last reset, all threads together.
uint64_t calls_of(unsigned symbol);

/// All threads lose their context stacks and call counts.
void forget_threads();

/// Loads a configuration and makes all as before cuInit.
void start_over(const std::string &config_text);

/// Success when the calling thread's current context can be used.
CUresult check_current(const ThreadState &self);

// Contexts.
CUresult check_context(const Context &context);
void destroy_context(Context &context); // under Driver::mutex

/// Ends all of a process's contexts, streams and memory, whatever they hold.
void drop_everything();

/// What is still held, one thing a line; empty when nothing is.
std::string held_text();

} // namespace fakes::cuda
