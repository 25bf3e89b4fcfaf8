// SPDX-License-Identifier: Apache-2.0
// Two threads that do something at the same time, each on a core of its own.
#pragma once

#include "gpu_support.hpp"

#include <atomic>
#include <fstream>
#include <functional>
#include <sched.h>
#include <thread>
#include <utility>

namespace bench {

constexpr double undisturbed = 0.05; // in so great a part of the rounds even a busy machine lets both threads run

// A processor as long as this lives. The scheduler of a busy machine else leaves both threads on one.
class On {
public:
    explicit On(int cpu) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(cpu), &one);
        sched_getaffinity(0, sizeof before_, &before_);
        sched_setaffinity(0, sizeof one, &one);
    }
    ~On() { sched_setaffinity(0, sizeof before_, &before_); }
    On(const On &) = delete;
    On &operator=(const On &) = delete;

private:
    cpu_set_t before_{};
};

inline int core_of(int cpu) {
    int core = cpu;
    std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/core_id") >> core;
    return core;
}

// The first processor that this thread may use, and the first one of another core; the same where there is none.
inline std::array<int, 2> two_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    int first = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) {
            continue;
        }
        if (first >= 0 && core_of(cpu) != core_of(first)) {
            return {first, cpu};
        }
        first = first < 0 ? cpu : first;
    }
    return {first, first};
}

// A second thread that does something when it is told to, with the context of device 0 current.
class Partner {
public:
    Partner(const Devices &devices, int cpu) : thread_([this, &devices, cpu] { run(devices, cpu); }) {}
    ~Partner() {
        turn_.store(stop);
        thread_.join();
    }
    Partner(const Partner &) = delete;
    Partner &operator=(const Partner &) = delete;

    void start(const std::function<void()> &body) {
        body_ = &body;
        turn_.store(work);
    }
    void wait() const {
        while (turn_.load() == work) {
        }
    }

private:
    enum {
        idle,
        work,
        stop
    };

    void run(const Devices &devices, int cpu) {
        const On processor(cpu);
        const Pushed current(devices, true);
        for (int turn = idle; turn != stop; turn = turn_.load()) {
            if (turn == work) {
                (*body_)();
                turn_.store(idle);
            } else {
                std::this_thread::yield(); // the machine may have nothing better than this processor for others
            }
        }
    }

    std::atomic<int> turn_{idle};
    const std::function<void()> *body_ = nullptr;
    std::thread thread_;
};

struct Times {
    std::vector<double> together;
    std::vector<double> alone;
    // How much more two threads do in the same time than one.
    double scaling(double part) const { return 2 * quantile(alone, part) / quantile(together, part); }
};

// What both do in each of many rounds, and what one does alone.
inline Times measure(uint32_t rounds, Partner &partner, const std::function<void()> &mine,
                     const std::function<void()> &partners) {
    auto [together, alone] = rounds_ns(
        rounds, 1,
        [&] {
            partner.start(partners);
            mine();
            partner.wait();
        },
        mine);
    return Times{std::move(together), std::move(alone)};
}

template <class Body> std::function<void()> repeated(uint32_t calls, Body body) {
    return [calls, body] {
        for (uint32_t i = 0; i < calls; i++) {
            body();
        }
    };
}

} // namespace bench
