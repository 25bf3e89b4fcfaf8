// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/node_near.hpp"
#include "pools/numa/promise.hpp"

#include <nearpool/stream_pool_work.h>

#include <mutex>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_pool(const stream_pool *pool, const char *name) {
    if (Done ok = check_pointer(pool, name); !ok) {
        return ok;
    }
    return check_alive(*pool_of(pool));
}

// Where a task waits, as the workers see it that were given it.
class StreamOutlook final : public numa::Outlook {
public:
    void set(stream::Pending &pending, uint64_t number) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        pending_ = Ref<stream::Pending>::share(&pending);
        number_ = number;
    }
    void look() noexcept override {
        Ref<stream::Pending> pending;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            pending = pending_;
        }
        if (pending) {
            pending->look(number_);
        }
    }

private:
    std::mutex mutex_;
    Ref<stream::Pending> pending_; // none: it is not in a stream yet
    uint64_t number_ = 0;
};

// A task that a numa_pool has accepted, as a stream sees it.
class PromisedTask final : public stream::Submission {
public:
    Status accept(numa::Pool &workers, uint32_t node, const numa::Item &item) {
        return workers.promise(node, item, promise_, Ref<numa::Outlook>::share(outlook_.get()));
    }
    void run() noexcept override { promise_->keep(); }
    void discard() noexcept override { promise_->break_off(); }
    bool withdraw() noexcept override { return promise_->withdraw(); }
    void waits(stream::Pending &pending, uint64_t number) noexcept override { outlook_->set(pending, number); }

private:
    const Ref<StreamOutlook> outlook_ = Ref<StreamOutlook>::adopt(new StreamOutlook);
    Ref<numa::Promise> promise_;
};

// Hands an accepted task to the stream. When that fails, the task is withdrawn; where its pool has discarded it
// meanwhile, it was accepted, and the call has not failed.
Done hand_over(stream::Pool &streams, uint64_t id, std::unique_ptr<stream::Submission> &task) {
    Done done;
    try {
        done = streams.then(id, task);
    } catch (const std::bad_alloc &) {
        done = as_done(NEAR_E_NOMEM);
    }
    return done || (task && task->withdraw()) ? done : Done();
}

Done continue_with(stream_pool *handle, uint64_t id, numa_pool *workers, const numa::Item &item) {
    // The task may run, or be discarded, once it is accepted, and destroy the pool of streams.
    const Ref<stream::Pool> streams = Ref<stream::Pool>::share(pool_of(handle));
    if (Done ok = streams->can_then(id); !ok) {
        return ok;
    }
    const Result<numa::Pool *> pool = pool_or_default(workers);
    if (!pool) {
        return pool.error();
    }
    const Result<uint32_t> node = node_near(*pool.value(), streams->devices(), streams->device());
    if (!node) {
        return node.error();
    }
    auto promised = std::make_unique<PromisedTask>();
    if (const Status status = promised->accept(*pool.value(), node.value(), item); status != NEAR_OK) {
        return fail(status, "the workers take no task: %s", status_text(status));
    }
    std::unique_ptr<stream::Submission> task = std::move(promised);
    return hand_over(*streams, id, task);
}

} // namespace

extern "C" {

near_status stream_pool_query(stream_pool *pool, uint64_t id, uint32_t *done, near_error *error) {
    return guarded("stream_pool_query", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(done, "done"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        bool is_done = false;
        Done asked = pool_of(pool)->query(id, &is_done);
        if (asked) {
            *done = is_done ? 1 : 0;
        }
        return asked;
    });
}

near_status stream_pool_synchronize(stream_pool *pool, uint64_t id, uint64_t timeout_ns, near_error *error) {
    return guarded("stream_pool_synchronize", error, [&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return pool_of(pool)->synchronize(id, timeout_ns);
    });
}

near_status stream_pool_wait_on(stream_pool *pool, uint64_t id, stream_pool *other, uint64_t other_id,
                                near_error *error) {
    return guarded("stream_pool_wait_on", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(other, "other"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(other)); !ok) {
            return ok;
        }
        return pool_of(pool)->wait_on(id, *pool_of(other), other_id);
    });
}

near_status stream_pool_then(stream_pool *pool, uint64_t id, numa_pool *workers, numa_pool_task_fn run, void *user_data,
                             near_error *error) {
    return guarded("stream_pool_then", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (run == nullptr) {
            return fail(NEAR_E_INVALID, "run is NULL");
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        return continue_with(pool, id, workers, numa::Item{run, nullptr, user_data, nullptr});
    });
}

near_status stream_pool_then_task(stream_pool *pool, uint64_t id, numa_pool *workers, const near_task *task,
                                  numa_pool_group *group, near_error *error) {
    return guarded("stream_pool_then_task", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (task == nullptr || task->run == nullptr) {
            return fail(NEAR_E_INVALID, "%s is NULL", task == nullptr ? "task" : "the task's run");
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        const Result<numa::Pool *> owner = pool_or_default(workers);
        if (!owner) {
            return owner.error();
        }
        if (group != nullptr && &group_of(group)->pool() != owner.value()) {
            return fail(NEAR_E_INVALID, "the group is of another pool");
        }
        return continue_with(pool, id, workers, numa::Item{task->run, task->discard, task->user_data, group_of(group)});
    });
}

near_status stream_pool_reserve(stream_pool *pool, uint64_t id, uint64_t bytes) {
    return guarded([&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return as_done(pool_of(pool)->reserve(id, bytes));
    });
}

near_status stream_pool_unreserve(stream_pool *pool, uint64_t id, uint64_t bytes) {
    return guarded([&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return as_done(pool_of(pool)->unreserve(id, bytes));
    });
}
}
