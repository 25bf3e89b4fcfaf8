// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/ladder.hpp"

#include "base/text.hpp"
#include "machine/probes.hpp"
#include "memory/ceiling.hpp"

#include <array>

namespace nearpool::pinned {
namespace {

constexpr std::array<int32_t, 4> ways{NEAR_PINNED_PLACED, NEAR_PINNED_DRIVER_NODE, NEAR_PINNED_TOUCHED,
                                      NEAR_PINNED_DRIVER};

class Ladder {
public:
    Ladder(const Maker &maker, const Wish &wish, Steps &steps) : maker_(maker), wish_(wish), steps_(steps) {}

    Result<std::unique_ptr<Memory>> climb_down() {
        for (const int32_t way : ways) {
            if (!steps_.wanted()) {
                return fail(NEAR_E_CANCELLED, "nobody waits for the memory any more");
            }
            steps_.begin_again();
            Attempt attempt = wish_.asks_for(way) ? checked(way) : left_out();
            if (lacks_memory(attempt) && maker_.make_room(short_node(attempt))) {
                steps_.begin_again();
                attempt = checked(way);
            }
            if (attempt.memory != nullptr) {
                attempt.memory->keep(std::move(missed_));
                return std::move(attempt.memory);
            }
            if (attempt.reason == NEAR_REASON_NONE) {
                return attempt.error;
            }
            if (refusal_.status == NEAR_OK && is_a_failure(attempt.error)) {
                refusal_ = attempt.error;
            }
            missed_.push_back(Missed{way, attempt.reason, attempt.error.message});
        }
        return nothing();
    }

private:
    static Attempt left_out() { return Attempt::missed(NEAR_REASON_NOT_ASKED, "the options leave it out"); }

    // What is idle in the cache may be all that is missing.
    static bool lacks_memory(const Attempt &attempt) {
        return attempt.memory == nullptr && (is_exhausted(attempt.error) || attempt.error.status == NEAR_E_NOMEM ||
                                             attempt.reason == NEAR_REASON_NO_MEMORY);
    }

    uint32_t short_node(const Attempt &attempt) const {
        return attempt.reason == NEAR_REASON_NO_MEMORY ? maker_.gpu.node : NEAR_NODE_UNKNOWN;
    }

    // In strict mode a way works only when it leads to the right place.
    Attempt checked(int32_t way) {
        Attempt attempt = try_way(way);
        if (attempt.memory == nullptr || !wish_.strict) {
            return attempt;
        }
        if (attempt.memory->proven()) {
            return attempt;
        }
        const Enforcement enforcement = attempt.memory->verdict(*maker_.topology, attempt.memory->census());
        return Attempt::missed(enforcement.reason, enforcement.text);
    }

    Attempt try_way(int32_t way) {
        switch (way) {
        case NEAR_PINNED_PLACED:
            return place();
        case NEAR_PINNED_DRIVER_NODE:
            return ask_driver(make_driver_node);
        case NEAR_PINNED_TOUCHED:
            return make_registered(maker_, wish_, NEAR_PINNED_TOUCHED, steps_);
        default:
            return ask_driver(make_driver);
        }
    }

    // The driver faults in what it makes: beyond the limit of a control group that kills.
    Attempt ask_driver(Attempt (*make)(const Maker &, const Wish &, Steps &)) {
        Ceiling ceiling(maker_.ports.files);
        const Admission admission(ceiling, wish_.bytes);
        if (!admission.given()) {
            return Attempt::failed(ceiling.refusal()->refuses(wish_.bytes, "page-locked"));
        }
        return make(maker_, wish_, steps_);
    }

    Attempt place() {
        if (!maker_.topology->this_machine()) {
            return Attempt::missed(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine");
        }
        const Capability binding = probes::memory_binding(maker_.ports, *maker_.topology);
        if (!binding.available) {
            return Attempt::missed(binding.reason, binding.text);
        }
        return make_registered(maker_, wish_, NEAR_PINNED_PLACED, steps_);
    }

    Error nothing() const {
        std::string all;
        bool asked_for_more = false;
        for (const Missed &one : missed_) {
            if (one.reason != NEAR_REASON_NOT_ASKED) {
                all += format("%s%s: %s", all.empty() ? "" : "; ", method_name(one.method), one.text.c_str());
                asked_for_more = true;
            }
        }
        Error error =
            fail(wish_.strict && asked_for_more ? NEAR_E_STRICT : NEAR_E_UNSUPPORTED, "%zu bytes near device %d: %s",
                 wish_.bytes, maker_.gpu.device->facts().ordinal, all.c_str());
        if (refusal_.status != NEAR_OK) {
            error.status = error.status == NEAR_E_STRICT ? error.status : refusal_.status;
            error.domain = refusal_.domain;
            error.code = refusal_.code;
        }
        return error;
    }

    // Not a way that never works here.
    static bool is_a_failure(const Error &error) {
        return error.status == NEAR_E_CUDA && error.code != cuda::cuda_error_not_supported &&
               error.code != cuda::cuda_error_not_permitted;
    }

    const Maker &maker_;
    const Wish &wish_;
    Steps &steps_;
    std::vector<Missed> missed_;
    Error refusal_{NEAR_OK, NEAR_DOMAIN_NONE, 0, {}}; // the first of the driver
};

} // namespace

Result<std::unique_ptr<Memory>> make_memory(const Maker &maker, const Wish &wish, Steps &steps) {
    return Ladder(maker, wish, steps).climb_down();
}

} // namespace nearpool::pinned
