// SPDX-License-Identifier: Apache-2.0
// The threads on which page-locked memory is made: not those who ask, who may leave, and not a pool's workers, who may
// all be busy or wait themselves. Started when first needed, asleep when idle.
#pragma once

#include "pools/pinned/request.hpp"

#include <functional>
#include <list>
#include <vector>

namespace nearpool::pinned {

class Service {
public:
    using Make = std::function<Result<Block *>(Request &request)>;

    Service(const Ports &ports, Make make) : ports_(ports), make_(std::move(make)) {}
    Service(const Service &) = delete;
    Service &operator=(const Service &) = delete;

    // The oldest first. NEAR_E_SYSTEM where no thread can be started, NEAR_E_SHUTDOWN after stop(). Requests that are
    // not ready in their time end then, also while all threads are at work.
    Done add(Ref<Request> request);

    // Ends what waits and what is at work, and joins the threads when the driver's calls have returned.
    void stop() noexcept;

private:
    static void *make_main(void *self);
    static void *watch_main(void *self);
    void serve();
    Ref<Request> next();
    void work_on(Request &request);
    void watch();
    uint64_t end_late_ones();
    Done start_threads();
    Done start_thread(void *(*main)(void *));

    static constexpr std::size_t most_threads = 5; // that watches, and four: the driver locks one range after the other

    const Ports &ports_;
    const Make make_;
    std::mutex mutex_; // guards all that follows
    std::list<Ref<Request>> queue_;
    std::vector<Request *> at_work_;
    std::vector<pthread_t> threads_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
    std::atomic<uint32_t> word_{0};       // changes with each request, for those asleep
    std::atomic<uint32_t> watch_word_{0}; // likewise, for who watches
};

} // namespace nearpool::pinned
