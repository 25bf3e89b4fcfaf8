// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/promise.hpp"

#include "base/clock.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"

#include <new>

namespace nearpool::numa {

near_status only_discard(void *) {
    return NEAR_E_INTERNAL;
}

Promise::Promise(Ref<Pool> pool, std::size_t node, const Item &item, Ref<Outlook> outlook)
    : pool_(std::move(pool)), node_(node), item_(item), outlook_(std::move(outlook)) {}

// Nobody is left who could keep it.
Promise::~Promise() {
    break_off();
}

bool Promise::take() noexcept {
    return !pool_->forked() && pool_->open_promises().take(*this);
}

bool Promise::settle(const Item &item) noexcept {
    if (!take()) {
        return false;
    }
    pool_->keep_promise(node_, item);
    return true;
}

bool Promise::withdraw() noexcept {
    if (!take()) {
        return false;
    }
    if (item_.group != nullptr) {
        item_.group->retract(1); // before the pool is idle, as a task ends
    }
    pool_->take_promise_back(node_);
    return true;
}

Status OpenPromises::add(Promise &promise, Queue &queue, Queue::Rules rules, bool &cancelled) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const Status status = queue.promise(rules); status != NEAR_OK) {
        return status;
    }
    promise.open_ = true;
    promise.next_ = first_;
    if (first_ != nullptr) {
        first_->previous_ = &promise;
    }
    first_ = &promise;
    cancelled = promise.item_.group != nullptr && promise.item_.group->cancelled();
    return NEAR_OK;
}

bool OpenPromises::take(Promise &promise) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!promise.open_) {
        return false;
    }
    unlink(promise);
    return true;
}

bool OpenPromises::any() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return first_ != nullptr;
}

std::vector<Ref<Outlook>> OpenPromises::outlooks() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Ref<Outlook>> all;
    for (const Promise *promise = first_; promise != nullptr; promise = promise->next_) {
        if (promise->outlook_) {
            all.push_back(promise->outlook_);
        }
    }
    return all;
}

void OpenPromises::unlink(Promise &promise) noexcept {
    (promise.previous_ != nullptr ? promise.previous_->next_ : first_) = promise.next_;
    if (promise.next_ != nullptr) {
        promise.next_->previous_ = promise.previous_;
    }
    promise.open_ = false;
}

Status Pool::promise(uint32_t node, const Item &item, Ref<Promise> &promise, Ref<Outlook> outlook) {
    if (forked()) {
        return NEAR_E_FORKED;
    }
    const std::size_t index = index_of(node);
    if (index == SIZE_MAX) {
        return NEAR_E_NO_NODE;
    }
    if (Done ok = ensure_started(); !ok) {
        return ok.error().status;
    }
    Ref<Promise> made =
        Ref<Promise>::adopt(new (std::nothrow) Promise(Ref<Pool>::share(this), index, item, std::move(outlook)));
    if (!made) {
        return NEAR_E_NOMEM;
    }
    if (item.group != nullptr) {
        if (const Status status = item.group->begin(1); status != NEAR_OK) {
            return status;
        }
    }
    bool cancelled = false;
    const Queue::Rules rules{true, own_worker() == nullptr};
    if (const Status status = open_promises_.add(*made, *queues_[index], rules, cancelled); status != NEAR_OK) {
        if (item.group != nullptr) {
            item.group->retract(1);
        }
        return status;
    }
    if (cancelled) { // the group is not asked here: the task may have been discarded, and the group be gone
        made->break_off();
    }
    promise = std::move(made);
    return NEAR_OK;
}

void Pool::keep_promise(std::size_t node, const Item &item) noexcept {
    queues_[node]->keep(item);
    work_added(*teams_[plan_.nodes[node].team]);
}

// It may have been all that the pool was not idle for.
void Pool::take_promise_back(std::size_t node) noexcept {
    queues_[node]->take_back();
    went_idle();
}

// Where a callback does not come, nobody else would say so.
void Pool::look_after_promises() noexcept {
    const uint64_t now = now_ns();
    uint64_t last = promises_seen_ns_.load(std::memory_order_relaxed);
    if (now - last < promise_look_ns || !promises_seen_ns_.compare_exchange_strong(last, now)) {
        return; // another worker has looked
    }
    try {
        for (const Ref<Outlook> &outlook : open_promises_.outlooks()) {
            outlook->look();
        }
    } catch (const std::bad_alloc &) { // the next look comes
    }
}

// Those who find the work wake others for the rest.
void Pool::break_promises(const Group &group) {
    const std::size_t count = open_promises_.take_all(group, [this](std::size_t node, const Item &item) {
        queues_[node]->keep(Item{only_discard, item.discard, item.user_data, item.group});
    });
    for (std::size_t i = 0; count != 0 && i < teams_.size(); i++) {
        if (teams_[i]->any_waiting()) {
            work_added(*teams_[i]);
        }
    }
}

} // namespace nearpool::numa
