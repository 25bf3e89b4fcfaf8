// SPDX-License-Identifier: Apache-2.0
// Continuations: tasks that wait until a stream has done its work.
#pragma once

#include "base/ref.hpp"
#include "cuda/driver.hpp"

#include <nearpool/level.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace nearpool::stream {

class Pending;

// A task that somebody has accepted and whose time has not come. The stream does not know who runs it.
class Submission {
public:
    virtual ~Submission() = default;
    // One of these is called, once. None waits nor throws: the driver calls from a thread of its own.
    virtual void run() noexcept = 0;
    virtual void discard() noexcept = 0;
    // Instead of them: as if it had never been accepted. False: it was discarded meanwhile, so it was.
    virtual bool withdraw() noexcept = 0;
    // Said before it can be run: who can look whether its time has come.
    virtual void waits(Pending &pending, uint64_t number) noexcept = 0;
};

class Pending final : public RefCounted {
public:
    Pending(const cuda::Driver &driver, cuda::CUcontext context) : driver_(driver), context_(context) {}

    // Takes the submission when NEAR_OK is returned. The driver, which can, calls back also when the context is lost.
    Done add(cuda::CUstream stream, std::unique_ptr<Submission> &submission);

    // Asks the driver for a stream: where that has said for as long as callbacks_take_ns that it is done, the
    // submission is run, and where it has failed, discarded. The stream lives while empty() is false.
    void look(uint64_t number) noexcept;
    void look_at_all() noexcept;
    static constexpr uint64_t callbacks_take_ns = NEAR_SECOND;

    // Discards what the driver did not call back for.
    void abandon() noexcept;

    bool empty();

private:
    static void called_back(cuda::CUstream stream, cuda::CUresult status, void *user_data);
    enum class Answer {
        not_yet,
        done,
        failed
    };
    struct Waiting {
        std::unique_ptr<Submission> submission;
        cuda::CUstream stream = nullptr;
        Answer answer = Answer::not_yet; // the driver's last
        uint64_t since_ns = 0;           // and when it first gave that one
        uint32_t asking = 0;             // looks that use the stream: what comes meanwhile is left to the last of them
        Answer called_back = Answer::not_yet;
    };
    template <class Each> void for_each(Each &&each) noexcept;
    void call_back(uint64_t number, Answer outcome) noexcept;
    std::unique_ptr<Submission> take(uint64_t number);
    std::unique_ptr<Submission> take_locked(uint64_t number);
    Answer ask(cuda::CUstream stream) const;
    Answer note(Waiting &waiting, Answer answer);
    static void settle(std::unique_ptr<Submission> submission, Answer outcome) noexcept;

    const cuda::Driver &driver_;
    const cuda::CUcontext context_;
    std::mutex mutex_;
    std::map<uint64_t, Waiting> waiting_;
};

} // namespace nearpool::stream
