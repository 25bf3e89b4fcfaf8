// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/service.hpp"

#include <algorithm>
#include <climits>
#include <new>

namespace nearpool::pinned {

Done Service::start_thread() {
    pthread_t thread{};
    if (const int error = ports_.threads.start(&thread, main, this); error != 0) {
        return fail_system_as(NEAR_E_SYSTEM, -error, "the thread that page-locks memory cannot be started");
    }
    threads_.push_back(thread);
    return {};
}

Done Service::add(Ref<Request> request) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (stopping_) {
            return fail(NEAR_E_SHUTDOWN, "the pool is being destroyed");
        }
        threads_.reserve(most_threads); // nothing may be thrown once the request is in the queue
        at_work_.reserve(most_threads);
        queue_.push_back(std::move(request));
        if (queue_.size() > idle_ && threads_.size() < most_threads) {
            if (Done started = start_thread(); !started && threads_.empty()) {
                queue_.pop_back();
                return started;
            }
        }
        word_.fetch_add(1, std::memory_order_relaxed);
    }
    ports_.futex.wake(&word_, 1);
    return {};
}

void *Service::main(void *self) {
    static_cast<Service *>(self)->serve();
    return nullptr;
}

void Service::serve() {
    ports_.threads.set_name("near-pin");
    while (const Ref<Request> request = next()) {
        work_on(*request);
    }
}

// None: the service is to end.
Ref<Request> Service::next() {
    for (;;) {
        uint32_t seen = 0;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!queue_.empty()) {
                Ref<Request> request = std::move(queue_.front());
                queue_.pop_front();
                at_work_.push_back(request.get());
                return request;
            }
            if (stopping_) {
                return {};
            }
            idle_++;
            seen = word_.load(std::memory_order_relaxed);
        }
        ports_.futex.wait(&word_, seen, UINT64_MAX);
        const std::lock_guard<std::mutex> lock(mutex_);
        idle_--;
    }
}

void Service::work_on(Request &request) {
    request.started();
    if (!request.steps.wanted()) {
        request.settle(request.unwanted());
    } else {
        try {
            request.settle(make_(request));
        } catch (const std::bad_alloc &) {
            request.settle(Error{NEAR_E_NOMEM, NEAR_DOMAIN_NONE, 0, {}});
        }
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    at_work_.erase(std::find(at_work_.begin(), at_work_.end(), &request));
}

void Service::stop() noexcept {
    std::deque<Ref<Request>> waiting;
    std::vector<pthread_t> threads;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
        waiting.swap(queue_);
        threads.swap(threads_);
        for (Request *request : at_work_) {
            request->shut_down();
        }
        word_.fetch_add(1, std::memory_order_relaxed);
    }
    ports_.futex.wake(&word_, INT_MAX);
    for (const Ref<Request> &request : waiting) {
        request->shut_down();
    }
    for (const pthread_t thread : threads) {
        ports_.threads.join(thread);
    }
}

} // namespace nearpool::pinned
