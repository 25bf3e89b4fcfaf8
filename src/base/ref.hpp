// SPDX-License-Identifier: Apache-2.0
// Shared ownership with the count in the object, so that an opaque handle of the ABI is the object itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace nearpool {

class RefCounted {
public:
    RefCounted(const RefCounted &) = delete;
    RefCounted &operator=(const RefCounted &) = delete;

    void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
    void release(uint64_t references = 1) const {
        if (count_.fetch_sub(references, std::memory_order_acq_rel) == references) {
            delete this;
        }
    }

protected:
    RefCounted() = default;
    virtual ~RefCounted() = default;

private:
    mutable std::atomic<uint64_t> count_{1};
};

// One reference to a RefCounted object.
template <class T> class Ref {
public:
    Ref() = default;
    static Ref adopt(T *object) { return Ref(object); } // takes over a reference that exists
    static Ref share(T *object) {                       // takes one more
        if (object != nullptr) {
            object->retain();
        }
        return Ref(object);
    }
    Ref(const Ref &other) : Ref(share(other.object_)) {}
    Ref(Ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref &operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ != nullptr) {
            object_->release();
        }
    }

    T *get() const { return object_; }
    T *operator->() const { return object_; }
    T &operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }
    T *detach() { return std::exchange(object_, nullptr); } // the caller has the reference now

private:
    explicit Ref(T *object) : object_(object) {}
    T *object_ = nullptr;
};

} // namespace nearpool
