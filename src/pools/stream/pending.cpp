// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/pending.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "cuda/current.hpp"

namespace nearpool::stream {

using namespace cuda;

namespace {

// Where what the driver calls back for is waiting. It is given a number and no address: what was given up, because the
// call did not come, may be called back all the same.
class CallBacks {
public:
    uint64_t add(Pending &pending) {
        const std::lock_guard<std::mutex> lock(mutex_);
        places_[next_] = Ref<Pending>::share(&pending);
        return next_++;
    }
    Ref<Pending> take(uint64_t number) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = places_.find(number);
        if (found == places_.end()) {
            return {};
        }
        Ref<Pending> pending = std::move(found->second);
        places_.erase(found);
        return pending;
    }

private:
    std::mutex mutex_;
    uint64_t next_ = 1;
    std::map<uint64_t, Ref<Pending>> places_;
};

CallBacks &call_backs() { // never destroyed: the driver may call while the process ends
    static auto *const all = new CallBacks;
    return *all;
}

} // namespace

Done Pending::add(CUstream stream, std::unique_ptr<Submission> &submission) {
    const uint64_t number = call_backs().add(*this);
    try {
        const std::lock_guard<std::mutex> lock(mutex_);
        Waiting &waiting = waiting_[number]; // takes the memory
        waiting.submission = std::move(submission);
        waiting.stream = stream;
        waiting.submission->waits(*this, number);
    } catch (const std::bad_alloc &) {
        call_backs().take(number);
        throw;
    }
    auto *const ticket =
        reinterpret_cast<void *>(number); // NOLINT(performance-no-int-to-ptr): the driver only keeps it
    const CUresult code = driver_.stream_add_callback(stream, called_back, ticket, 0);
    if (code == cuda_success) {
        return {};
    }
    submission = take(number);
    if (submission == nullptr) { // it has called back all the same
        return {};
    }
    return driver_.error(code, "cuStreamAddCallback");
}

void Pending::called_back(CUstream, CUresult status, void *user_data) {
    const auto number = reinterpret_cast<uint64_t>(user_data);
    if (const Ref<Pending> pending = call_backs().take(number); pending) {
        pending->call_back(number, status == cuda_success ? Answer::done : Answer::failed);
    }
}

void Pending::call_back(uint64_t number, Answer outcome) noexcept {
    std::unique_ptr<Submission> submission;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = waiting_.find(number);
        if (found != waiting_.end() && found->second.asking > 0) {
            found->second.called_back = outcome;
            return;
        }
        submission = take_locked(number);
    }
    settle(std::move(submission), outcome);
}

void Pending::settle(std::unique_ptr<Submission> submission, Answer outcome) noexcept {
    if (submission && outcome == Answer::done) {
        submission->run();
    } else if (submission) {
        submission->discard();
    }
}

std::unique_ptr<Submission> Pending::take(uint64_t number) {
    call_backs().take(number);
    const std::lock_guard<std::mutex> lock(mutex_);
    return take_locked(number);
}

std::unique_ptr<Submission> Pending::take_locked(uint64_t number) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) {
        return nullptr;
    }
    std::unique_ptr<Submission> taken = std::move(found->second.submission);
    waiting_.erase(found);
    return taken;
}

void Pending::abandon() noexcept {
    for_each([this](uint64_t number) {
        call_backs().take(number);
        call_back(number, Answer::failed);
    });
}

// Of those that wait now, one after the other, with nothing held.
template <class Each> void Pending::for_each(Each &&each) noexcept {
    for (uint64_t number = 0;; number++) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            const auto next = waiting_.lower_bound(number);
            if (next == waiting_.end()) {
                return;
            }
            number = next->first;
        }
        each(number);
    }
}

bool Pending::empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return waiting_.empty();
}

// To query a stream that captures would end the capture; and what a capture forbids says nothing of the work.
Pending::Answer Pending::ask(CUstream stream) const {
    const Current current(driver_, context_);
    CUstreamCaptureStatus capturing = capture_status_none;
    CUresult code = current.code();
    code = code == cuda_success ? driver_.stream_is_capturing(stream, &capturing) : code;
    if (code == cuda_success && capturing != capture_status_none) {
        return Answer::not_yet;
    }
    code = code == cuda_success ? driver_.stream_query(stream) : code;
    const bool captures =
        code >= cuda_error_stream_capture_unsupported && code <= cuda_error_stream_capture_wrong_thread;
    return code == cuda_error_not_ready || captures ? Answer::not_yet
           : code == cuda_success                   ? Answer::done
                                                    : Answer::failed;
}

// What is to become of it now; not_yet: nothing.
Pending::Answer Pending::note(Waiting &waiting, Answer answer) {
    const uint64_t now = now_ns();
    if (waiting.answer != answer) {
        waiting.answer = answer;
        waiting.since_ns = now;
    }
    if (waiting.called_back != Answer::not_yet) {
        return waiting.called_back;
    }
    return now - waiting.since_ns >= callbacks_take_ns ? answer : Answer::not_yet;
}

// The driver is asked with nothing held: it may be calling back.
void Pending::look(uint64_t number) noexcept {
    CUstream stream = nullptr;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto known = waiting_.find(number);
        if (known == waiting_.end()) {
            return;
        }
        stream = known->second.stream;
        known->second.asking++;
    }
    const Answer answer = ask(stream);
    Answer outcome = Answer::not_yet;
    bool forgotten = false;
    std::unique_ptr<Submission> submission;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = waiting_.find(number); // gone: abandoned, or refused by the driver after all
        if (found == waiting_.end() || --found->second.asking > 0) {
            return;
        }
        outcome = note(found->second, answer);
        forgotten = found->second.called_back == Answer::not_yet;
        submission = outcome != Answer::not_yet ? take_locked(number) : nullptr;
    }
    if (submission && forgotten) {
        call_backs().take(number);
        log(NEAR_LOG_WARN, "the driver has not called back for a stream that %s; its continuation is %s",
            outcome == Answer::done ? "is done" : "has failed", outcome == Answer::done ? "run" : "discarded");
    }
    settle(std::move(submission), outcome);
}

void Pending::look_at_all() noexcept {
    for_each([this](uint64_t number) { look(number); });
}

} // namespace nearpool::stream
