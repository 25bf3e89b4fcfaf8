// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/foreign_wait.hpp"

#include "base/fork_lock.hpp"
#include "pools/numa/pool.hpp"

namespace nearpool::numa {

class ForeignWaits {
public:
    static ForeignWaits &all() { // never destroyed: workers may outlive static objects
        static auto *const only = new ForeignWaits;
        return *only;
    }
    void add(ForeignWait &wait) {
        const std::lock_guard<ForkMutex> lock(mutex_);
        forget_parents();
        wait.next_ = first_;
        if (first_ != nullptr) {
            first_->previous_ = &wait;
        }
        first_ = &wait;
    }
    void remove(ForeignWait &wait) {
        const std::lock_guard<ForkMutex> lock(mutex_);
        if (forget_parents()) {
            return;
        }
        (wait.previous_ != nullptr ? wait.previous_->next_ : first_) = wait.next_;
        if (wait.next_ != nullptr) {
            wait.next_->previous_ = wait.previous_;
        }
    }
    void wake(const Group *group) {
        const std::lock_guard<ForkMutex> lock(mutex_);
        forget_parents();
        for (const ForeignWait *wait = first_; wait != nullptr; wait = wait->next_) {
            if (wait->group_ == group) {
                wait->sleeper_.wake_everyone();
            }
        }
    }

private:
    bool forget_parents() { // in a child: they lie on stacks that are given to new threads
        const bool forked = mark_.forked();
        if (forked) {
            mark_ = ForkMark();
            first_ = nullptr;
        }
        return forked;
    }

    ForkMutex mutex_;
    ForkMark mark_;
    ForeignWait *first_ = nullptr;
};

ForeignWait::ForeignWait(const Group &group, Pool &sleeper) : group_(&group), sleeper_(sleeper) {
    ForeignWaits::all().add(*this);
}

ForeignWait::~ForeignWait() {
    ForeignWaits::all().remove(*this);
}

void ForeignWait::wake(const Group *group) noexcept {
    ForeignWaits::all().wake(group);
}

} // namespace nearpool::numa
