// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/pending.hpp"

namespace nearpool::stream {

// What the driver keeps. A number, not the submission: that may have been abandoned when the call comes.
struct Pending::Ticket {
    Ref<Pending> pending;
    uint64_t number;
};

Done Pending::add(const cuda::Driver &driver, cuda::CUstream stream, std::unique_ptr<Submission> &submission) {
    auto ticket = std::make_unique<Ticket>(Ticket{Ref<Pending>::share(this), 0});
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ticket->number = next_++;
        waiting_[ticket->number] = nullptr; // takes the memory
        waiting_[ticket->number] = std::move(submission);
    }
    Ticket *given = ticket.release(); // called_back() frees it
    const uint64_t number = given->number;
    const cuda::CUresult code = driver.stream_add_callback(stream, called_back, given, 0);
    if (code == cuda::cuda_success) {
        return {};
    }
    submission = take(number);
    if (submission == nullptr) { // it has called back all the same
        return {};
    }
    delete given;
    return driver.error(code, "cuStreamAddCallback");
}

void Pending::called_back(cuda::CUstream, cuda::CUresult status, void *user_data) {
    const std::unique_ptr<Ticket> ticket(static_cast<Ticket *>(user_data));
    const std::unique_ptr<Submission> submission = ticket->pending->take(ticket->number);
    if (submission && status == cuda::cuda_success) {
        submission->run();
    } else if (submission) {
        submission->discard();
    }
}

std::unique_ptr<Submission> Pending::take(uint64_t number) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) {
        return nullptr;
    }
    std::unique_ptr<Submission> taken = std::move(found->second);
    waiting_.erase(found);
    return taken;
}

void Pending::abandon() {
    std::map<uint64_t, std::unique_ptr<Submission>> left;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        left.swap(waiting_);
    }
    for (auto &[number, submission] : left) {
        submission->discard();
    }
}

bool Pending::empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return waiting_.empty();
}

} // namespace nearpool::stream
