// SPDX-License-Identifier: Apache-2.0
// Continuations: tasks that wait until a stream has done its work.
#pragma once

#include "base/ref.hpp"
#include "cuda/driver.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace nearpool::stream {

// A task that somebody has accepted and whose time has not come. The stream does not know who runs it.
class Submission {
public:
    virtual ~Submission() = default;
    // One of these is called, once. None waits nor throws: the driver calls from a thread of its own.
    virtual void run() noexcept = 0;
    virtual void discard() noexcept = 0;
    // Instead of them: as if it had never been accepted. False: it was discarded meanwhile, so it was.
    virtual bool withdraw() noexcept = 0;
};

class Pending final : public RefCounted {
public:
    // Takes the submission when NEAR_OK is returned. The driver, which can, calls back also when the context is lost.
    Done add(const cuda::Driver &driver, cuda::CUstream stream, std::unique_ptr<Submission> &submission);

    // Discards what the driver did not call back for.
    void abandon();

    bool empty();

private:
    struct Ticket;
    static void called_back(cuda::CUstream stream, cuda::CUresult status, void *user_data);
    std::unique_ptr<Submission> take(uint64_t number);

    std::mutex mutex_;
    uint64_t next_ = 0;
    std::map<uint64_t, std::unique_ptr<Submission>> waiting_;
};

} // namespace nearpool::stream
