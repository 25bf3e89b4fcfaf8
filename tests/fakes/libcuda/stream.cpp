// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include "capture.hpp"
#include "memory.hpp"

#include <csignal>
#include <system_error>
#include <thread>

namespace fakes::cuda {

namespace {

/// What all waits wait on. Its mutex is taken only while somebody waits.
struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<int> waiters{0};
};

Progress &progress() {
    static Progress &instance = *new Progress;
    return instance;
}

void wait_until(const std::function<bool()> &done, std::chrono::nanoseconds limit = std::chrono::nanoseconds::max()) {
    Progress &all = progress();
    std::unique_lock<std::mutex> lock(all.mutex);
    all.waiters.fetch_add(1);
    if (limit == std::chrono::nanoseconds::max()) {
        all.changed.wait(lock, done);
    } else {
        all.changed.wait_for(lock, limit, done);
    }
    all.waiters.fetch_sub(1);
}

/// The memory of a stream that has ended can be another's.
void retire(Stream &stream) {
    driver().streams.give_back(&stream);
}

CUresult status_of(const Stream &stream) {
    return stream.home().error.load();
}

void run_one(Stream &stream, Work &work) {
    work(stream, status_of(stream));
    work = nullptr;
    stream.completed.fetch_add(1);
    tell_progress();
}

void run_stream(Stream *stream) {
    std::unique_lock<std::mutex> lock(stream->mutex);
    for (;;) {
        stream->has_work.wait(lock, [&] { return !stream->queue.empty() || stream->closing; });
        if (stream->queue.empty()) {
            break;
        }
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        lock.unlock();
        run_one(*stream, work);
        lock.lock();
    }
    stream->has_thread = false;
    lock.unlock();
    retire(*stream);
    driver().thread_count.fetch_sub(1);
    tell_progress();
}

/// A thread that gets none of the program's signals.
bool start_thread(Stream &stream) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    driver().thread_count.fetch_add(1);
    bool started = true;
    try {
        std::thread(run_stream, &stream).detach();
    } catch (const std::system_error &) {
        driver().thread_count.fetch_sub(1);
        started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    stream.has_thread = started;
    return started;
}

CUresult enqueue(Stream &stream, Work work) {
    const std::lock_guard<std::mutex> lock(stream.mutex);
    if (!stream.has_thread && !start_thread(stream)) {
        return cuda_error_operating_system;
    }
    stream.submitted.fetch_add(1);
    stream.queue.push_back(std::move(work));
    stream.has_work.notify_one();
    return cuda_success;
}

/// The work that a default stream's next piece must wait for, or that of the default stream for a blocking one.
std::vector<uint64_t> marks_before(Stream &stream) {
    std::vector<uint64_t> marks;
    if (!stream.is_legacy()) {
        const Stream *legacy = stream.home().legacy.load();
        if (legacy != nullptr && !legacy->idle()) {
            marks.push_back(mark_of(*legacy));
        }
        return marks;
    }
    driver().streams.each_alive([&](Stream &other) {
        if (&other != &stream && other.context.load() == stream.context.load() && other.blocks_with_legacy() &&
            !other.idle()) {
            marks.push_back(mark_of(other));
        }
    });
    return marks;
}

Stream *legacy_stream(Context &context) {
    Stream *stream = context.legacy.load(std::memory_order_acquire);
    if (stream != nullptr) {
        return stream;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    if (context.legacy.load() == nullptr) {
        context.legacy.store(make_stream(context, 0, 0, StreamKind::legacy), std::memory_order_release);
    }
    return context.legacy.load();
}

Stream *thread_stream(Context &context) {
    ThreadState &self = this_thread();
    for (Stream *stream : self.default_streams) {
        if (stream->alive.load() && stream->context.load() == &context) {
            return stream;
        }
    }
    Stream *stream = make_stream(context, 0, 0, StreamKind::per_thread);
    if (stream != nullptr) {
        self.default_streams.push_back(stream);
    }
    return stream;
}

} // namespace

void tell_progress() {
    Progress &all = progress();
    if (all.waiters.load() != 0) {
        const std::lock_guard<std::mutex> lock(all.mutex);
        all.changed.notify_all();
    }
}

void wait_in_stream(Stream &stream, const std::function<bool()> &done, std::chrono::nanoseconds limit) {
    wait_until([&] { return stream.cut.load() || status_of(stream) != cuda_success || done(); }, limit);
}

Stream *make_stream(Context &context, unsigned flags, int priority, StreamKind kind) {
    Driver &all = driver();
    const bool counts = kind == StreamKind::made;
    if (counts && all.stream_count.fetch_add(1) >= all.config.stream_limit) {
        all.stream_count.fetch_sub(1);
        return nullptr;
    }
    Stream *stream = all.streams.take();
    if (stream == nullptr) {
        all.stream_count.fetch_sub(counts ? 1 : 0);
        return nullptr;
    }
    stream->context = &context;
    stream->flags = flags;
    stream->priority = priority;
    stream->kind = kind;
    stream->closing = false;
    stream->capture = nullptr;
    stream->cut.store(false);
    stream->capture_status.store(capture_status_none);
    stream->id = all.next_id.fetch_add(1);
    stream->alive.store(true, std::memory_order_release);
    return stream;
}

void close_stream(Stream &stream) {
    stream.alive.store(false, std::memory_order_release);
    if (stream.kind == StreamKind::made) {
        driver().stream_count.fetch_sub(1);
    }
    bool has_thread = false;
    {
        const std::lock_guard<std::mutex> lock(stream.mutex);
        stream.closing = true;
        has_thread = stream.has_thread;
        stream.has_work.notify_one();
    }
    if (!has_thread) {
        retire(stream);
    }
}

void end_streams(Context &context) {
    std::vector<Stream *> streams;
    std::vector<uint64_t> ends;
    Driver &all = driver();
    // Closed ones may still have work.
    all.streams.each([&](Stream &stream) {
        if (stream.context == &context && (stream.alive.load() || !stream.idle())) {
            streams.push_back(&stream);
            ends.push_back(stream.submitted.load());
            stream.cut.store(true);
        }
    });
    for (Stream *stream : streams) {
        if (stream->alive.load()) {
            forget_capture_of(*stream);
            close_stream(*stream);
        }
    }
    tell_progress();
    for (std::size_t i = 0; i < streams.size(); i++) {
        wait_until([&] { return streams[i]->completed.load() >= ends[i]; });
    }
}

CUresult resolve_stream(CUstream handle, Stream **stream) {
    ThreadState &self = this_thread();
    const auto number = reinterpret_cast<std::uintptr_t>(handle);
    if (number > stream_per_thread) {
        *stream = driver().streams.find(handle);
        return *stream == nullptr ? cuda_error_invalid_handle : check_context((*stream)->home());
    }
    const bool per_thread = number == stream_per_thread || (number == 0 && self.default_is_per_thread);
    *stream = per_thread ? thread_stream(*self.current()) : legacy_stream(*self.current());
    return *stream == nullptr ? cuda_error_out_of_memory : cuda_success;
}

CUresult order_default(Stream &stream) {
    if (!stream.blocks_with_legacy()) {
        return cuda_success;
    }
    std::vector<uint64_t> marks = marks_before(stream);
    if (marks.empty()) {
        return cuda_success;
    }
    return enqueue(stream, [marks](Stream &self, CUresult) {
        for (const uint64_t mark : marks) {
            wait_in_stream(self, [mark] { return is_reached(mark); });
        }
    });
}

CUresult submit(Stream &stream, Work work) {
    const CUresult result = order_default(stream);
    return result != cuda_success ? result : enqueue(stream, std::move(work));
}

uint64_t mark_of(const Stream &stream) {
    return static_cast<uint64_t>(driver().streams.index_of(&stream)) << mark_shift | stream.submitted.load();
}

bool is_reached(uint64_t mark) {
    const uint64_t number = mark & ((uint64_t{1} << mark_shift) - 1);
    return number == 0 || driver().streams.at(mark >> mark_shift).completed.load(std::memory_order_acquire) >= number;
}

CUresult wait_for_mark(uint64_t mark) {
    const Stream &stream = driver().streams.at(mark >> mark_shift);
    wait_until([&] { return is_reached(mark) || check_context(stream.home()) != cuda_success; });
    return cuda_success;
}

CUresult wait_for_stream(Stream &stream) {
    Context &context = stream.home();
    const uint64_t mark = mark_of(stream);
    wait_until([&] { return is_reached(mark) || check_context(context) != cuda_success; });
    return check_context(context);
}

CUresult wait_for_context(Context &context) {
    std::vector<uint64_t> marks;
    driver().streams.each([&](Stream &stream) {
        if (stream.context == &context && !stream.idle()) {
            marks.push_back(mark_of(stream));
        }
    });
    for (const uint64_t mark : marks) {
        wait_until([&] { return is_reached(mark) || check_context(context) != cuda_success; });
    }
    return check_context(context);
}

void lose_context(Context &context, CUresult error) {
    context.error.store(error);
    unlock_memory(context);
    Progress &all = progress();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.changed.notify_all();
}

} // namespace fakes::cuda
