// SPDX-License-Identifier: Apache-2.0
// Objects behind handles. Their memory is never given back, so that any handle, however stale, may be looked at
// without a lock; a freed object is used again only when all the others have been.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

namespace fakes::cuda {

template <typename T, std::size_t Capacity> class Arena {
public:
    // From the heap, where a leak checker looks for pointers; calloc leaves pages alone until they are used.
    Arena() {
        const auto memory = reinterpret_cast<std::uintptr_t>(std::calloc(Capacity + 1, sizeof(T)));
        if (memory == 0) {
            std::abort();
        }
        objects_ = reinterpret_cast<T *>((memory + alignof(T) - 1) / alignof(T) * alignof(T));
    }

    /// An object that is not alive yet; nullptr when all are in use.
    T *take() {
        const std::lock_guard<std::mutex> lock(mutex_);
        const std::size_t fresh = used_.load(std::memory_order_relaxed);
        if (fresh < Capacity) {
            T *object = new (objects_ + fresh) T;
            used_.store(fresh + 1, std::memory_order_release);
            return object;
        }
        if (free_.empty()) {
            return nullptr;
        }
        T *object = free_.front();
        free_.pop_front();
        return object;
    }

    void give_back(T *object) {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(object);
    }

    /// The living object that a handle names, or nullptr.
    T *find(const void *handle) const {
        const std::uintptr_t offset =
            reinterpret_cast<std::uintptr_t>(handle) - reinterpret_cast<std::uintptr_t>(objects_);
        if (offset >= used_.load(std::memory_order_acquire) * sizeof(T) || offset % sizeof(T) != 0) {
            return nullptr;
        }
        T *object = objects_ + offset / sizeof(T);
        return object->alive.load(std::memory_order_acquire) ? object : nullptr;
    }

    /// Whether a handle was ever one of these.
    bool knows(const void *handle) const {
        const std::uintptr_t offset =
            reinterpret_cast<std::uintptr_t>(handle) - reinterpret_cast<std::uintptr_t>(objects_);
        return offset < used_.load(std::memory_order_acquire) * sizeof(T) && offset % sizeof(T) == 0;
    }

    std::size_t index_of(const T *object) const { return static_cast<std::size_t>(object - objects_); }
    T &at(std::size_t index) { return objects_[index]; }

    /// All objects that have ever been taken.
    template <typename Visit> void each(Visit visit) {
        const std::size_t count = used_.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < count; i++) {
            visit(objects_[i]);
        }
    }

    template <typename Visit> void each_alive(Visit visit) {
        each([&](T &object) {
            if (object.alive.load(std::memory_order_acquire)) {
                visit(object);
            }
        });
    }

private:
    T *objects_;
    std::atomic<std::size_t> used_{0};
    std::mutex mutex_;
    std::deque<T *> free_;
};

} // namespace fakes::cuda
