// SPDX-License-Identifier: Apache-2.0
// Memory that is mapped and faulted in here, or by the caller, and then registered with the driver.
#include "pools/pinned/ways.hpp"

#include "cuda/current.hpp"
#include "memory/ceiling.hpp"
#include "pools/pinned/registration.hpp"

#include <algorithm>
#include <cerrno>

namespace nearpool::pinned {
namespace {

using namespace cuda;

class Registered final : public Memory {
public:
    Registered(const Maker &maker, int32_t method, std::unique_ptr<Region> region)
        : Memory(maker.gpu, method), region_(std::move(region)), registration_(*maker.gpu.device, maker.context) {
        const Settled settled = region_->settled();
        seen_ = settled.census;
        range_ = Range{static_cast<char *>(region_->data()),
                       settled.placement.page_count * settled.placement.page_bytes, settled.placement.page_bytes};
        pages_ = settled.placement.pages;
        pages_reason_ = settled.placement.pages_reason;
        bound_ = settled.firm;
        const int32_t reason = settled.placement.reason_code;
        if (reason == NEAR_REASON_NO_MEMORY || reason == NEAR_REASON_NOT_ALLOWED) {
            limit_ = Enforcement::best_effort(reason, settled.placement.reason);
        }
    }
    Registered(const Maker &maker, char *data, std::size_t bytes)
        : Memory(maker.gpu, NEAR_PINNED_ADOPTED), registration_(*maker.gpu.device, maker.context) {
        range_ = Range{data, bytes, base_page_bytes()};
    }

    Done lock(const Maker &maker, ChunkSize chunk, Steps &steps) {
        if (!maker.gpu.one_pointer) { // one registration, which check_chunks() has seen to suffice
            chunk.least = chunk.bytes;
        }
        const auto lock = [&] { return registration_.lock(range_.data, range_.bytes, chunk, steps); };
        Done done = maker.on_node(lock);
        if (!done && is_exhausted(done.error()) && maker.make_room(NEAR_NODE_UNKNOWN)) { // not on the node's thread
            done = maker.on_node(lock);
        }
        return done;
    }
    const Census &seen() const { return seen_; } // before it was locked

    std::size_t chunk_count() const override { return registration_.chunk_count(); }
    Result<int32_t> descriptor() const override {
        Result<int32_t> descriptor = region_ != nullptr ? region_->descriptor() : Memory::descriptor();
        return descriptor ? descriptor : Memory::descriptor();
    }

private:
    std::unique_ptr<Region> region_; // unmapped after it was unregistered
    Census seen_;
    Registration registration_;
};

RegionSpec region_spec_of(const Maker &maker, const Wish &wish, std::size_t bytes, bool bind) {
    RegionSpec spec;
    spec.bytes = bytes;
    spec.policy = NEAR_POLICY_BIND;
    spec.nodes = {maker.gpu.node};
    spec.pages = wish.pages;
    spec.prefault = NEAR_PREFAULT_ON_NODE;
    spec.backing = wish.has(NEAR_PINNED_SHARED) ? NEAR_BACKING_SHARED : NEAR_BACKING_ANONYMOUS;
    spec.strict = wish.strict && bind;
    spec.flags = (wish.has(NEAR_PINNED_FORK | NEAR_PINNED_SHARED) ? 0U : uint32_t{NEAR_REGION_NO_FORK}) |
                 (wish.has(NEAR_PINNED_NO_DUMP) ? uint32_t{NEAR_REGION_NO_DUMP} : 0U);
    spec.by_touch = !bind;
    return spec;
}

// A strict region that cannot be had is a way that does not work; what else fails would fail again.
Attempt no_region(const Error &error, const Steps &steps) {
    if (!steps.wanted() || (error.status != NEAR_E_STRICT && error.status != NEAR_E_NOT_ALLOWED)) {
        return Attempt::failed(error);
    }
    return Attempt::missed(error.reason != NEAR_REASON_NONE ? error.reason : int32_t{NEAR_REASON_ELSEWHERE},
                           error.message);
}

std::size_t bytes_in(const Census &census, std::size_t bytes) {
    return std::min(bytes, census.present * base_page_bytes());
}

} // namespace

Done check_chunks(const Gpu &gpu, const char *data, std::size_t bytes, std::size_t chunk_bytes) {
    if (!gpu.one_pointer && chunks_of(data, bytes, chunk_bytes) > 1) {
        return fail(
            NEAR_E_UNSUPPORTED,
            "%zu bytes must be registered in chunks of %zu, and device %d has other addresses for each: ask for "
            "less at once",
            bytes, chunk_bytes, gpu.device->facts().ordinal);
    }
    return {};
}

Attempt make_registered(const Maker &maker, const Wish &wish, int32_t method, Steps &steps) {
    if (!maker.gpu.registers) {
        return Attempt::missed(NEAR_REASON_DRIVER, "the device registers no memory that is there already");
    }
    const RegionSpec spec = region_spec_of(maker, wish, wish.bytes, method == NEAR_PINNED_PLACED);
    Result<std::unique_ptr<Region>> region = Region::create(maker.ports, maker.topology, maker.crew, spec, &steps);
    if (!region) {
        return no_region(region.error(), steps);
    }
    auto memory = std::make_unique<Registered>(maker, method, region.take());
    const ChunkSize chunk = chunk_size(maker.ports.files, wish.chunk_bytes, memory->range().page_bytes);
    if (Done ok = check_chunks(maker.gpu, memory->range().data, memory->range().bytes, chunk.bytes); !ok) {
        return Attempt::failed(ok.error());
    }
    const Enforcement seen = memory->verdict(*maker.topology, memory->seen());
    if (wish.strict && seen.level != NEAR_LEVEL_STRICT) { // locked pages cannot be moved any more
        return Attempt::missed(seen.reason, seen.text);
    }
    if (Done ok = memory->lock(maker, chunk, steps); !ok) {
        return Attempt::refused(ok.error());
    }
    memory->settle(maker.site(), memory->seen());
    return Attempt::made(std::move(memory));
}

Result<std::unique_ptr<Memory>> adopt(const Maker &maker, char *data, const Wish &wish, Steps &steps) {
    if (!maker.gpu.registers) {
        return fail(NEAR_E_UNSUPPORTED, "device %d registers no memory that is there already",
                    maker.gpu.device->facts().ordinal);
    }
    const ChunkSize chunk = chunk_size(maker.ports.files, wish.chunk_bytes, base_page_bytes());
    if (Done ok = check_chunks(maker.gpu, data, wish.bytes, chunk.bytes); !ok) {
        return ok.error();
    }
    auto memory = std::make_unique<Registered>(maker, data, wish.bytes);
    const Census before = memory->look(maker.site(), data, wish.bytes);
    if (wish.strict && before.near < before.present) {
        return fail(NEAR_E_STRICT, "%s", memory->verdict(*maker.topology, before).text.c_str());
    }
    // Registering faults in what is missing; where nobody may look, nothing is taken to be.
    const std::size_t missing = before.look == Look::not_at_all ? 0 : wish.bytes - bytes_in(before, wish.bytes);
    Ceiling ceiling(maker.ports.files);
    const Admission admission(ceiling, missing);
    if (!admission.given()) {
        return ceiling.refusal()->refuses(wish.bytes, "page-locked");
    }
    if (Done ok = memory->lock(maker, chunk, steps); !ok) {
        return ok.error();
    }
    memory->settle(maker.site());
    return std::unique_ptr<Memory>(std::move(memory));
}

} // namespace nearpool::pinned
