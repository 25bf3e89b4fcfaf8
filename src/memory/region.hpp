// SPDX-License-Identifier: Apache-2.0
// A mapping with a placement policy: what was asked for, what was done for it, and where its pages are.
#pragma once

#include "base/error.hpp"
#include "base/ref.hpp"
#include "memory/crew.hpp"
#include "topology/topology.hpp"

#include <nearpool/region.h>

#include <memory>
#include <string>
#include <vector>

namespace nearpool {

struct RegionSpec {
    std::size_t bytes = 0;
    int32_t policy = NEAR_POLICY_LOCAL;
    std::vector<uint32_t> nodes; // as listed; empty for local; where the caller gave none, all that have memory
    int32_t pages = NEAR_PAGES_DEFAULT;
    int32_t prefault = NEAR_PREFAULT_NONE;
    int32_t backing = NEAR_BACKING_ANONYMOUS;
    bool strict = false;
    uint32_t flags = 0;
    bool sample = false;
    bool by_touch = false; // nothing is bound: pages go where the threads are that fault them in
    std::string path;
    uint64_t file_offset = 0;
};

// The options of near_region_create(), as read_struct() returned them, checked in the order of their fields.
Result<RegionSpec> region_spec(const Topology &topology, std::size_t bytes, const near_region_options &options);

// The same for a policy and its nodes alone: the list that is in force.
Result<std::vector<uint32_t>> policy_nodes(const Topology &topology, int32_t policy, const uint32_t *nodes,
                                           std::size_t node_count, bool strict);

// Who wants to know how far a long prefault has come, and may end it.
class Progress {
public:
    virtual ~Progress() = default;
    // So many bytes more are in; called by several threads. False: no more.
    virtual bool go_on(std::size_t bytes) noexcept = 0;
    // With pages of another size, none of which is in.
    virtual void begin_again() noexcept = 0;
};

// A report, and the pages on each node that it was made from.
struct Seen {
    near_placement placement{};
    std::vector<near_node_pages> nodes;
};

struct Settled; // memory/range.hpp

// One region. Any thread may call, at any time, also in a child of fork(); a near_region * is a Region *.
class Region {
public:
    static Result<std::unique_ptr<Region>> create(const Ports &ports, Ref<const Topology> topology, Crew &crew,
                                                  const RegionSpec &spec, Progress *progress = nullptr);
    ~Region();
    Region(const Region &) = delete;
    Region &operator=(const Region &) = delete;

    void *data() const;
    std::size_t bytes() const; // as asked for
    Result<int32_t> descriptor() const;

    // Each looks anew; what look() returns is of one look, at every page.
    near_placement placement();
    Result<std::vector<near_node_pages>> nodes();
    Result<Seen> look();
    Settled settled() const; // as it was then, without looking again

    Done prefault(int32_t how);
    Done rebind(int32_t policy, const uint32_t *nodes, std::size_t node_count, uint32_t strict);
    // *moved is written on success and at NEAR_E_BUSY.
    Done migrate(uint32_t node, std::size_t *moved);
    Done lock(uint32_t lock);
    Done advise(std::size_t offset, std::size_t bytes, int32_t advice);

    struct Body; // memory/body.hpp

private:
    explicit Region(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

const char *policy_name(int32_t policy);
const char *pages_name(int32_t pages);
const char *prefault_name(int32_t prefault);

} // namespace nearpool
