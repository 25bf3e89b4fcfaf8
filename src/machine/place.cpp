// SPDX-License-Identifier: Apache-2.0
#include "machine/place.hpp"

#include "machine/pin.hpp"

#include <mutex>
#include <utility>

namespace nearpool {
namespace {

bool same(const Enforcement &a, const Enforcement &b) {
    return a.level == b.level && a.reason == b.reason && a.text == b.text;
}

} // namespace

Place::Place(AffinityPort &affinity, Ref<PinThread> thread, NumberSet cpus, Kind kind)
    : affinity_(affinity), thread_(std::move(thread)), cpus_(std::move(cpus)), kind_(kind) {}

Place::~Place() {
    replace_last(&first_);
}

void Place::pin(Enforcement granted) {
    Enforcement seen = pin_thread(affinity_, thread_->id(), cpus_);
    if (seen.level == NEAR_LEVEL_STRICT) {
        Enforcement runs = runs_on(affinity_, cpus_);
        seen = runs.level == NEAR_LEVEL_STRICT ? std::move(granted) : std::move(runs);
        granted = seen;
    }
    granted_ = std::move(granted);
    keep(std::move(seen));
}

void Place::keep(Enforcement why) {
    NumberSet mask;
    const bool known = affinity_.get_of(thread_->id(), &mask) == 0;
    first_ = {std::move(why), static_cast<uint32_t>(known ? mask.size() : 0)};
    replace_last(&first_); // a thread that is started again
}

Place::Look Place::look() {
    const std::lock_guard<ForkMutex> lock(thread_->mutex());
    const Seen &last = *last_.load(std::memory_order_acquire);
    if (!granted_) {
        return {last, {}};
    }
    const bool left = kind_ == Kind::for_good && mark_.forked(); // who forks in a task is nobody's worker in the child
    if (left || !thread_->alive()) {
        return {last, {}, true};
    }
    if (thread_->top() != (kind_ == Kind::for_good ? nullptr : this)) {
        return {last, {}};
    }
    Look look = look_again(last);
    if (!same(look.seen.enforcement, last.enforcement) || look.seen.cpu_count != last.cpu_count) {
        replace_last(new Seen(look.seen));
    }
    return look;
}

Enforcement Place::seen_last(const Enforcement &last) {
    return {last.level, NEAR_REASON_NOT_STARTED,
            "the thread has ended, or is the parent process's; seen last: " +
                (last.text.empty() ? level_name(last.level) : last.text)};
}

Place::Look Place::look_again(const Seen &last) {
    NumberSet mask;
    const auto count = static_cast<uint32_t>(cpus_.size());
    const bool right = affinity_.get_of(thread_->id(), &mask) == 0 && mask == cpus_;
    if (right && same(*granted_, last.enforcement)) {
        return {{*granted_, count}, {}};
    }
    const std::string found = mask.text();
    if (!right && kind_ == Kind::for_good && thread_->set_by_host()) {
        Enforcement hosts = Enforcement::best_effort(
            NEAR_REASON_ELSEWHERE, "near_affinity_set() was called on the thread, which may run on CPUs " + found);
        std::string news = same(hosts, last.enforcement) ? std::string() : hosts.text;
        return {{std::move(hosts), static_cast<uint32_t>(mask.size())}, std::move(news)};
    }
    Enforcement now = pin_thread(affinity_, thread_->id(), cpus_);
    if (now.level == NEAR_LEVEL_STRICT) {
        return {{*granted_, count}, // from Linux 6.2 on the kernel gives back what it took
                (right ? "" : "could run on CPUs " + found + ", and ") + "is pinned to CPUs " + cpus_.text() +
                    " again"};
    }
    const bool readable = affinity_.get_of(thread_->id(), &mask) == 0;
    std::string news = same(now, last.enforcement) ? std::string() : now.text;
    return {{std::move(now), static_cast<uint32_t>(readable ? mask.size() : 0)}, std::move(news)};
}

void Place::replace_last(const Seen *next) {
    const Seen *const before = last_.exchange(next, std::memory_order_acq_rel);
    if (before != &first_) {
        delete before;
    }
}

} // namespace nearpool
