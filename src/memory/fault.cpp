// SPDX-License-Identifier: Apache-2.0
#include "memory/fault.hpp"

#include "sys/constants.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace nearpool {
namespace {

constexpr std::size_t most_piece_bytes = std::size_t{64} << 20U;
constexpr std::size_t pieces_per_helper = 4; // so that a helper that is held up does not hold up all
constexpr int most_tries = 16;               // of a populate that is told to try again

struct Piece {
    std::size_t begin = 0;
    std::size_t end = 0;
    uint32_t node = 0;
};

class Faulter {
public:
    Faulter(const Site &site, const Mapping &mapping, bool blocks, Progress *progress, Ceiling *ceiling)
        : memory_(site.ports.memory), mapping_(mapping), blocks_(blocks), progress_(progress), ceiling_(ceiling),
          writes_(mapping.writable() && mapping.takes_policy()),
          advice_(writes_ ? sys::advice_populate_write : sys::advice_populate_read) {}

    // 0 or -errno.
    int fault(std::size_t begin, std::size_t end) {
        int error = 0;
        for (std::size_t at = begin; error == 0 && at < end;) {
            const std::size_t step = ceiling_ != nullptr ? std::min(end - at, most_piece_bytes) : end - at;
            error = fault_step(at, at + step);
            at += step;
        }
        return error;
    }

private:
    int fault_step(std::size_t begin, std::size_t end) {
        if (progress_ != nullptr && !progress_->go_on(0)) {
            return -ECANCELED;
        }
        std::optional<Admission> admission;
        if (ceiling_ != nullptr && !admission.emplace(*ceiling_, end - begin).given()) {
            return -ENOMEM;
        }
        const int error = fault_range(begin, end);
        admission.reset();
        return error == 0 && progress_ != nullptr && !progress_->go_on(end - begin) ? -ECANCELED : error;
    }

    // Where the kernel cannot populate (before 5.14, or a filter), pages are touched instead; never those of the pool:
    // touching one that is not to be had is SIGBUS.
    int fault_range(std::size_t begin, std::size_t end) {
        if (blocks_ || mapping_.page_bytes() == large_page_bytes) {
            start_at_ends(begin, end);
        }
        const int error = populate(begin, end);
        const bool unknown = error == -EINVAL || error == -EPERM || error == -ENOSYS;
        if (!unknown || mapping_.pool_pages()) {
            return error;
        }
        touch(begin, end);
        return 0;
    }

    // A huge page is cleared from the far end to the address that faults: the last base page of each makes that the
    // direction in which memory is fast. What fails here fails again, and is seen, below.
    void start_at_ends(std::size_t begin, std::size_t end) {
        const auto base = reinterpret_cast<uintptr_t>(mapping_.data());
        const std::size_t page = base_page_bytes();
        std::size_t block = (base + begin + large_page_bytes - 1) / large_page_bytes * large_page_bytes - base;
        for (; block + large_page_bytes <= end; block += large_page_bytes) {
            if (memory_.advise(mapping_.data() + block + large_page_bytes - page, page, advice_) < 0) {
                return;
            }
        }
    }

    int populate(std::size_t begin, std::size_t end) {
        int error = 0;
        for (int i = 0; i < most_tries; i++) {
            error = memory_.advise(mapping_.data() + begin, end - begin, advice_);
            if (error != -EAGAIN && error != -EINTR) {
                return error;
            }
        }
        return error;
    }

    void touch(std::size_t begin, std::size_t end) const {
        for (std::size_t offset = begin; offset < end; offset += base_page_bytes()) {
            char *byte = mapping_.data() + offset;
            if (writes_) {
                __atomic_fetch_add(byte, 0, __ATOMIC_RELAXED);
            } else {
                static_cast<void>(*static_cast<volatile char *>(byte));
            }
        }
    }

    MemoryPort &memory_;
    const Mapping &mapping_;
    const bool blocks_;
    Progress *const progress_;
    Ceiling *const ceiling_;
    const bool writes_;
    const int advice_;
};

// Helpers that can work on a node.
std::size_t helpers_of(const Topology &topology, uint32_t node) {
    const Node *facts = topology.node(node);
    return facts == nullptr ? 1 : std::max<std::size_t>(facts->allowed_cpus.size(), 1);
}

std::size_t piece_bytes(const Mapping &mapping, std::size_t bytes, std::size_t helpers) {
    const std::size_t unit = std::max(large_page_bytes, mapping.page_bytes());
    const std::size_t fair = bytes / (helpers * pieces_per_helper);
    const std::size_t whole = std::min(fair, most_piece_bytes) / unit * unit;
    return std::max(whole, unit);
}

void add_pieces(const Part &part, std::size_t size, const std::vector<uint32_t> &nodes, std::vector<Piece> *pieces) {
    for (std::size_t begin = part.begin; begin < part.end; begin += size) {
        const uint32_t node = nodes[pieces->size() % nodes.size()];
        pieces->push_back(Piece{begin, std::min(begin + size, part.end), node});
    }
}

std::vector<Piece> pieces_of(const Topology &topology, const Mapping &mapping, const Arrangement &arrangement) {
    std::vector<Piece> pieces;
    for (const Part &part : arrangement.parts) {
        const bool one = part.usable != NEAR_NODE_UNKNOWN;
        const std::vector<uint32_t> nodes = one ? std::vector<uint32_t>{part.usable} : arrangement.target.usable;
        std::size_t helpers = 0;
        for (const uint32_t node : nodes) {
            helpers += helpers_of(topology, node);
        }
        add_pieces(part, piece_bytes(mapping, part.end - part.begin, helpers), nodes, &pieces);
    }
    return pieces;
}

} // namespace

CrewOutcome fault_in(const Site &site, const Mapping &mapping, const Arrangement &arrangement, bool here, bool blocks,
                     Progress *progress, Ceiling *ceiling) {
    Faulter faulter(site, mapping, blocks, progress, ceiling);
    CrewOutcome outcome;
    if (here || arrangement.target.usable.empty()) {
        outcome.error = faulter.fault(0, mapping.bytes());
        return outcome;
    }
    const std::vector<Piece> pieces = pieces_of(site.topology, mapping, arrangement);
    std::vector<uint32_t> nodes;
    nodes.reserve(pieces.size());
    for (const Piece &piece : pieces) {
        nodes.push_back(piece.node);
    }
    return site.crew.run(site.topology, nodes,
                         [&](std::size_t i) { return faulter.fault(pieces[i].begin, pieces[i].end); });
}

} // namespace nearpool
