// SPDX-License-Identifier: Apache-2.0
// Streams that are being captured into a graph, and what calls they forbid.
#pragma once

#include "state.hpp"

#include <set>

namespace fakes::cuda {

struct Capture {
    CUstreamCaptureMode mode = capture_mode_global;
    const ThreadState *owner = nullptr;
    Stream *origin = nullptr;
    bool invalidated = false;
    std::set<Stream *> streams;
    std::set<Stream *> unjoined; // whose work the origin does not wait for yet
    uint64_t node_count = 0;
};

std::mutex &capture_mutex();

/// How many captures there are: the one load that calls make while there is none.
extern std::atomic<int> capture_count;

/// Success, or that a capture forbids calls like this one, which has then ended that capture.
CUresult refuse_for_capture(const ThreadState &self);

inline CUresult check_no_capture(const ThreadState &self) {
    return capture_count.load(std::memory_order_acquire) == 0 ? cuda_success : refuse_for_capture(self);
}

/// Ends the capture that a stream takes part in, as an operation that it does not allow does.
CUresult invalidate_capture(Stream &stream);

/// Whether work for a stream is to be recorded; it has been, then.
bool record_into_capture(Stream &stream);

bool is_capturing(const Stream &stream);

/// A blocking stream of the context is captured, so its default stream cannot be used.
bool legacy_is_captured(const Context &context);

/// The event's and the wait's part in a capture. They answer whether they were one.
bool capture_event_record(Stream &stream, Event &event);
CUresult capture_wait(Stream &stream, Event &event, bool *handled);

/// The stream goes; a capture that it takes part in is no longer valid.
void forget_capture_of(Stream &stream);

void forget_captures();
std::size_t graph_count();

} // namespace fakes::cuda
