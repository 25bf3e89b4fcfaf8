// SPDX-License-Identifier: Apache-2.0
// Where a thread was pinned to, and what is so of that now. The kernel takes an affinity away without a word when a
// cpuset moves or CPUs go offline, and before Linux 6.2 it gives none back (cpuset(7)): what was seen once is not kept,
// it is looked at.
#pragma once

#include "base/status.hpp"
#include "machine/pin_thread.hpp"
#include "sys/ports.hpp"

#include <atomic>
#include <optional>

namespace nearpool {

class Place {
public:
    enum class Kind {
        for_good, // below the pins that the thread makes for a while
        for_a_while
    };
    struct Seen {
        Enforcement enforcement;
        uint32_t cpu_count = 0; // on which the thread may run
    };
    struct Look {
        Seen seen;
        std::string news;   // a sentence where something changed since the last look; for the log
        bool ended = false; // there is no such thread in this process any more: what was seen last
    };

    // `cpus` may be empty where nothing is pinned.
    Place(AffinityPort &affinity, Ref<PinThread> thread, NumberSet cpus, Kind kind);
    ~Place();
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;

    PinThread &thread() const { return *thread_; }

    // The thread itself, once: pins it to the CPUs, and looks. `granted` is what the place is worth while the thread
    // may run on just these.
    void pin(Enforcement granted);
    // Or leaves it as it is, and says why. There is nothing to look at again.
    void keep(Enforcement why);

    // What was seen then. For the thread itself, and where nobody looks yet.
    const Seen &first() const { return first_; }

    // Asks the kernel, from any thread. A thread that was moved is pinned again where its CPUs are allowed again. While
    // another pin of the thread holds, and when the thread has ended, it is the last look.
    Look look();

    // How to say what was seen last of threads that have ended.
    static Enforcement seen_last(const Enforcement &last);

private:
    Look look_again(const Seen &last);
    void replace_last(const Seen *next);

    AffinityPort &affinity_;
    const Ref<PinThread> thread_;
    const NumberSet cpus_;
    const Kind kind_;
    const ForkMark mark_;
    std::optional<Enforcement> granted_;
    Seen first_;
    // Never written in place: a child of fork() reads it, whatever a thread of the parent was doing.
    std::atomic<const Seen *> last_{&first_};
};

} // namespace nearpool
