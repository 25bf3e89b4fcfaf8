// SPDX-License-Identifier: Apache-2.0
#include "capture.hpp"

#include "stream.hpp"

#include <memory>

namespace fakes::cuda {

std::atomic<int> capture_count{0};

namespace {

struct Captures {
    std::mutex mutex;
    std::vector<std::unique_ptr<Capture>> running;
    std::set<CUgraph> graphs;
    std::uintptr_t next_graph = 0x6000;
};

Captures &captures() {
    static Captures &instance = *new Captures;
    return instance;
}

// These are called under the mutex.

void invalidate(Capture &capture) {
    capture.invalidated = true;
    for (Stream *stream : capture.streams) {
        stream->capture_status.store(capture_status_invalidated, std::memory_order_release);
    }
}

void join(Capture &capture, Stream &stream) {
    capture.streams.insert(&stream);
    if (&stream != capture.origin) {
        capture.unjoined.insert(&stream);
    }
    stream.capture = &capture;
    stream.capture_status.store(capture_status_active, std::memory_order_release);
}

void finish(Capture &capture) {
    Captures &all = captures();
    for (Stream *stream : capture.streams) {
        stream->capture = nullptr;
        stream->capture_status.store(capture_status_none, std::memory_order_release);
    }
    for (std::size_t i = all.running.size(); i-- > 0;) {
        if (all.running[i].get() == &capture) {
            all.running.erase(all.running.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    capture_count.store(static_cast<int>(all.running.size()), std::memory_order_release);
}

bool forbids(const Capture &capture, const ThreadState &thread) {
    if (thread.capture_mode == capture_mode_relaxed) {
        return false;
    }
    if (capture.owner == &thread && capture.mode != capture_mode_relaxed) {
        return true;
    }
    return thread.capture_mode == capture_mode_global && capture.mode == capture_mode_global;
}

CUresult check_end(const Capture *capture, const Stream &stream, const ThreadState &self) {
    if (capture == nullptr) {
        return cuda_error_illegal_state;
    }
    if (capture->origin != &stream) {
        return cuda_error_capture_unmatched;
    }
    if (capture->mode != capture_mode_relaxed && capture->owner != &self) {
        return cuda_error_capture_wrong_thread;
    }
    return cuda_success;
}

} // namespace

std::mutex &capture_mutex() {
    return captures().mutex;
}

CUresult refuse_for_capture(const ThreadState &self) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    CUresult result = cuda_success;
    for (const auto &capture : captures().running) {
        if (forbids(*capture, self)) {
            invalidate(*capture);
            result = cuda_error_capture_unsupported;
        }
    }
    return result;
}

CUresult invalidate_capture(Stream &stream) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    if (stream.capture != nullptr) {
        invalidate(*stream.capture);
    }
    return cuda_error_capture_unsupported;
}

bool is_capturing(const Stream &stream) {
    return stream.capture_status.load(std::memory_order_acquire) != capture_status_none;
}

bool record_into_capture(Stream &stream) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    if (stream.capture == nullptr || stream.capture->invalidated) {
        return false;
    }
    stream.capture->node_count++;
    if (&stream != stream.capture->origin) {
        stream.capture->unjoined.insert(&stream);
    }
    return true;
}

bool legacy_is_captured(const Context &context) {
    if (capture_count.load(std::memory_order_acquire) == 0) {
        return false;
    }
    const std::lock_guard<std::mutex> lock(capture_mutex());
    for (const auto &capture : captures().running) {
        for (const Stream *stream : capture->streams) {
            if (stream->context.load() == &context && stream->blocks_with_legacy()) {
                return true;
            }
        }
    }
    return false;
}

bool capture_event_record(Stream &stream, Event &event) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    if (stream.capture == nullptr || stream.capture->invalidated) {
        return false;
    }
    event.capture = stream.capture;
    event.mark.store(mark_of(stream), std::memory_order_release);
    event.captured.store(true, std::memory_order_release);
    return true;
}

CUresult capture_wait(Stream &stream, Event &event, bool *handled) {
    const bool captured_event = event.captured.load(std::memory_order_acquire);
    if (!captured_event && !is_capturing(stream)) {
        return cuda_success;
    }
    *handled = true;
    const std::lock_guard<std::mutex> lock(capture_mutex());
    Capture *capture = stream.capture;
    if (!captured_event) {
        invalidate(*capture); // the graph would depend on work outside of it
        return cuda_error_capture_isolation;
    }
    for (const auto &running : captures().running) {
        if (running.get() == event.capture && !running->invalidated &&
            (capture == nullptr || capture == event.capture)) {
            Stream &source = driver().streams.at(event.mark.load() >> mark_shift);
            if (capture == nullptr) {
                join(*running, stream);
            }
            if (&stream == running->origin) {
                running->unjoined.erase(&source);
            }
            return cuda_success;
        }
    }
    return capture == nullptr ? cuda_error_captured_event : cuda_error_capture_invalidated;
}

void forget_capture_of(Stream &stream) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    Capture *capture = stream.capture;
    if (capture == nullptr) {
        return;
    }
    invalidate(*capture);
    if (capture->origin == &stream) {
        finish(*capture);
        return;
    }
    capture->streams.erase(&stream);
    capture->unjoined.erase(&stream);
    stream.capture = nullptr;
}

void forget_captures() {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    captures().running.clear();
    captures().graphs.clear();
    capture_count.store(0);
}

std::size_t graph_count() {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    return captures().graphs.size();
}

namespace calls {

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
    if (mode == nullptr || *mode < capture_mode_global || *mode > capture_mode_relaxed) {
        return cuda_error_invalid_value;
    }
    std::swap(*mode, this_thread().capture_mode);
    return cuda_success;
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success) {
        return result;
    }
    if (mode < capture_mode_global || mode > capture_mode_relaxed) {
        return cuda_error_invalid_value;
    }
    if (found->is_legacy()) {
        return cuda_error_capture_unsupported;
    }
    Captures &all = captures();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (found->capture != nullptr) {
        return cuda_error_illegal_state;
    }
    all.running.push_back(std::make_unique<Capture>());
    Capture &capture = *all.running.back();
    capture.mode = mode;
    capture.owner = &this_thread();
    capture.origin = found;
    join(capture, *found);
    capture_count.store(static_cast<int>(all.running.size()), std::memory_order_release);
    return cuda_success;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    Stream *found = nullptr;
    CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || graph == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    Captures &all = captures();
    const std::lock_guard<std::mutex> lock(all.mutex);
    Capture *capture = found->capture;
    result = check_end(capture, *found, this_thread());
    if (result != cuda_success) {
        return result;
    }
    *graph = nullptr;
    result = capture->invalidated         ? cuda_error_capture_invalidated
             : !capture->unjoined.empty() ? cuda_error_capture_unjoined
                                          : cuda_success;
    finish(*capture);
    if (result == cuda_success) {
        *graph = reinterpret_cast<CUgraph>(all.next_graph += 16);
        all.graphs.insert(*graph);
    }
    return result;
}

CUresult cuGraphDestroy(CUgraph graph) {
    const std::lock_guard<std::mutex> lock(capture_mutex());
    return captures().graphs.erase(graph) != 0 ? cuda_success : cuda_error_invalid_value;
}

} // namespace calls

} // namespace fakes::cuda
