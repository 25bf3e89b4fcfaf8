// SPDX-License-Identifier: Apache-2.0
// How streams run their work: each on a thread of its own, started when work first comes, in order.
#pragma once

#include "state.hpp"

#include <chrono>

namespace fakes::cuda {

/// A stream that is not known to anybody yet; nullptr: too many. The limit counts those that are no default streams.
Stream *make_stream(Context &context, unsigned flags, int priority, StreamKind kind);

/// Lets a stream go: it ends what it has, and then itself.
void close_stream(Stream &stream);

/// Closes all streams of a context without waiting for time or for others, and returns when they have ended.
void end_streams(Context &context);

/// The stream that a handle names, default streams included. Needs a current context.
CUresult resolve_stream(CUstream handle, Stream **stream);

/// Adds work. It orders it after the default stream's where that is due.
CUresult submit(Stream &stream, Work work);

/// Adds nothing but the order after the work of others that a default stream's rules ask for.
CUresult order_default(Stream &stream);

/// Waits in a stream's work until something holds, the context goes, or the time is up.
void wait_in_stream(Stream &stream, const std::function<bool()> &done,
                    std::chrono::nanoseconds limit = std::chrono::nanoseconds::max());

/// Something that others may wait for has changed.
void tell_progress();

CUresult wait_for_stream(Stream &stream);
CUresult wait_for_context(Context &context);
CUresult wait_for_mark(uint64_t mark);

uint64_t mark_of(const Stream &stream);
bool is_reached(uint64_t mark);

/// The context is lost: what waits is woken, what comes has this error.
void lose_context(Context &context, CUresult error);

} // namespace fakes::cuda
