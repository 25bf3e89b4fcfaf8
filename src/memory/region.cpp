// SPDX-License-Identifier: Apache-2.0
#include "memory/body.hpp"
#include "memory/range.hpp"

namespace nearpool {

Region::Region(std::unique_ptr<Body> body) : body_(std::move(body)) {}

Region::~Region() = default;

void *Region::data() const {
    return body_->mapping.data();
}

std::size_t Region::bytes() const {
    return body_->spec.bytes;
}

Result<int32_t> Region::descriptor() const {
    if (body_->mapping.descriptor() < 0) {
        return fail(NEAR_E_UNSUPPORTED, "the region is anonymous memory and has no descriptor");
    }
    return body_->mapping.descriptor();
}

near_placement Region::placement() {
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    return body_->describe(body_->look(body_->may_sample()));
}

Result<std::vector<near_node_pages>> Region::nodes() {
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    return pages_by_node(body_->look(false));
}

Result<Seen> Region::look() {
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    const Census census = body_->look(false);
    Result<std::vector<near_node_pages>> nodes = pages_by_node(census);
    if (!nodes) {
        return nodes.error();
    }
    return Seen{body_->describe(census), nodes.take()};
}

Settled Region::settled() const {
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    Settled settled;
    settled.census = body_->first.value_or(Census());
    settled.placement = body_->describe(settled.census);
    settled.firm = body_->first_firm;
    return settled;
}

} // namespace nearpool
