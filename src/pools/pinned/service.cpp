// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/service.hpp"

#include <algorithm>
#include <climits>
#include <iterator>
#include <new>

namespace nearpool::pinned {

Done Service::start_thread(void *(*main)(void *)) {
    pthread_t thread{};
    if (const int error = ports_.threads.start(&thread, main, this); error != 0) {
        return fail_system_as(NEAR_E_SYSTEM, -error, "the thread that page-locks memory cannot be started");
    }
    threads_.push_back(thread);
    return {};
}

// One that watches, and, as long as all others are busy, one more that makes.
Done Service::start_threads() {
    threads_.reserve(most_threads);
    at_work_.reserve(most_threads);
    if (threads_.empty()) {
        if (Done started = start_thread(watch_main); !started) {
            return started;
        }
    }
    if (queue_.size() > idle_ && threads_.size() < most_threads) {
        Done started = start_thread(make_main);
        return threads_.size() > 1 ? Done() : started; // others will come to it
    }
    return {};
}

Done Service::add(Ref<Request> request) {
    std::list<Ref<Request>> one;
    one.push_back(std::move(request));
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (stopping_) {
            return fail(NEAR_E_SHUTDOWN, "the pool is being destroyed");
        }
        queue_.splice(queue_.end(), one);
        Done started;
        try {
            started = start_threads();
        } catch (const std::bad_alloc &) {
            started = Error{NEAR_E_NOMEM, NEAR_DOMAIN_NONE, 0, {}};
        }
        if (!started) {
            one.splice(one.end(), queue_, std::prev(queue_.end()));
            return started;
        }
        word_.fetch_add(1, std::memory_order_relaxed);
        watch_word_.fetch_add(1, std::memory_order_relaxed);
    }
    ports_.futex.wake(&word_, 1);
    ports_.futex.wake(&watch_word_, 1);
    return {};
}

void *Service::make_main(void *self) {
    static_cast<Service *>(self)->serve();
    return nullptr;
}

void *Service::watch_main(void *self) {
    static_cast<Service *>(self)->watch();
    return nullptr;
}

// When the next one is late.
uint64_t Service::end_late_ones() {
    uint64_t next = UINT64_MAX;
    const auto look = [&](Request &request) {
        if (!request.ended() && !request.expire()) {
            next = std::min(next, request.steps.deadline_ns());
        }
    };
    for (const Ref<Request> &request : queue_) {
        look(*request);
    }
    for (Request *request : at_work_) {
        look(*request);
    }
    return next;
}

void Service::watch() {
    ports_.threads.set_name("near-pin-watch");
    for (;;) {
        uint32_t seen = 0;
        uint64_t next = 0;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (stopping_) {
                return;
            }
            seen = watch_word_.load(std::memory_order_relaxed);
            next = end_late_ones();
        }
        ports_.futex.wait(&watch_word_, seen, next);
    }
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
    try {
        request.settle(request.steps.wanted() ? make_(request) : Result<Block *>(request.unwanted()));
    } catch (const std::bad_alloc &) {
        request.settle(Error{NEAR_E_NOMEM, NEAR_DOMAIN_NONE, 0, {}});
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    at_work_.erase(std::find(at_work_.begin(), at_work_.end(), &request));
}

void Service::stop() noexcept {
    std::list<Ref<Request>> waiting;
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
        watch_word_.fetch_add(1, std::memory_order_relaxed);
    }
    ports_.futex.wake(&word_, INT_MAX);
    ports_.futex.wake(&watch_word_, INT_MAX);
    for (const Ref<Request> &request : waiting) {
        request->shut_down();
    }
    for (const pthread_t thread : threads) {
        ports_.threads.join(thread);
    }
}

} // namespace nearpool::pinned
