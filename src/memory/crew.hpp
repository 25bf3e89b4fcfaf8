// SPDX-License-Identifier: Apache-2.0
// Helper threads of the memory layer, pinned per node, also for nodes outside any pool: all prefaulting runs there, so
// that nothing waits behind tasks and a task may ask for memory on its own one-worker node.
#pragma once

#include "base/fork_lock.hpp"
#include "sys/ports.hpp"
#include "topology/topology.hpp"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace nearpool {

// What happened to a job.
struct CrewOutcome {
    int error = 0;          // of the piece that failed first: -errno
    bool by_caller = false; // a node's helpers could not be started: the caller did their pieces
    bool unpinned = false;  // a helper that took part is not where it should be
};

// Threads are started when first needed and then sleep between jobs. Any thread may give a job, many at once; a piece
// must not give one itself.
class Crew {
public:
    // Does piece `index`; 0 or -errno.
    using Work = std::function<int(std::size_t index)>;

    explicit Crew(const Ports &ports);
    ~Crew(); // joins; no job may be running
    Crew(const Crew &) = delete;
    Crew &operator=(const Crew &) = delete;

    // Runs work(i) for every i, on the helpers of nodes[i], and waits. A node without allowed CPUs is served by those
    // of the nearest that has some. Every piece is done, also after one has failed.
    CrewOutcome run(const Topology &topology, const std::vector<uint32_t> &nodes, const Work &work);

    std::size_t helper_count(); // threads that were started and live in this process

private:
    class Team;
    struct State; // of one process
    std::shared_ptr<Team> team(const Topology &topology, uint32_t node);

    const Ports &ports_;
    ForkMutex mutex_; // guards state_
    std::unique_ptr<State> state_;
};

} // namespace nearpool
