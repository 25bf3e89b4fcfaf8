// SPDX-License-Identifier: Apache-2.0
#include "gpu/facts.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace facts {
namespace {

constexpr std::size_t tried_bytes = 256 * mib;

std::string in_mib(int64_t bytes) {
    return std::to_string(bytes / static_cast<int64_t>(mib)) + " MiB";
}

// The file with the bytes that this process's cgroup has; empty: there is none.
std::string charged_file() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const std::size_t second = line.find(':', line.find(':') + 1);
        const bool version_2 = line.rfind("0::", 0) == 0;
        if (second == std::string::npos || (!version_2 && line.find(":memory:") == std::string::npos)) {
            continue;
        }
        const std::string root = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const std::string name = version_2 ? "/memory.current" : "/memory.usage_in_bytes";
        for (const std::string &path : {root + line.substr(second + 1) + name, root + name}) {
            if (std::ifstream(path).good()) {
                return path;
            }
        }
    }
    return {};
}

int64_t charged_bytes(const std::string &path) {
    int64_t bytes = 0;
    std::ifstream(path) >> bytes;
    return bytes;
}

// What the cgroup is charged more when something is done.
template <class Make> Answer is_charged(Make &&make) {
    const std::string path = charged_file();
    if (path.empty()) {
        return not_testable("no file says what the cgroup is charged");
    }
    const int64_t before = charged_bytes(path);
    const std::string why = make();
    const int64_t more = charged_bytes(path) - before;
    if (!why.empty()) {
        return not_testable(why);
    }
    return {more >= static_cast<int64_t>(tried_bytes / 2) ? Answer::yes : Answer::no,
            in_mib(more) + " more for " + in_mib(tried_bytes)};
}

class Region {
public:
    explicit Region(uint32_t node = NEAR_NODE_UNKNOWN) {
        auto options = sized<near_region_options>();
        options.prefault = NEAR_PREFAULT_ON_NODE;
        options.pages = NEAR_PAGES_BASE;
        if (node != NEAR_NODE_UNKNOWN) {
            options.policy = NEAR_POLICY_PREFERRED;
            options.nodes = &node;
            options.node_count = 1;
        }
        auto error = sized<near_error>();
        if (near_region_create(nullptr, tried_bytes, &options, &region_, &error) != NEAR_OK) {
            why_ = error.message;
        }
    }
    ~Region() { near_region_destroy(region_); }
    Region(const Region &) = delete;
    Region &operator=(const Region &) = delete;
    void *data() const { return near_region_data(region_); }
    const std::string &why() const { return why_; }

private:
    near_region *region_ = nullptr;
    std::string why_;
};

} // namespace

Answer driver_memory_is_charged(const Place &place) {
    void *memory = nullptr;
    const Answer answer = is_charged([&] {
        const CUresult code = place.driver.mem_host_alloc(&memory, tried_bytes, host_alloc_portable);
        return code == cuda_success ? std::string() : failure("cuMemHostAlloc", code);
    });
    if (memory != nullptr) {
        place.driver.mem_free_host(memory);
    }
    return answer;
}

Answer registered_memory_is_charged(const Place &place) {
    auto options = sized<near_pinned_options>();
    options.flags = NEAR_PINNED_NO_CACHE;
    options.pages = NEAR_PAGES_BASE;
    options.methods = 1U << NEAR_PINNED_PLACED | 1U << NEAR_PINNED_TOUCHED;
    near_pinned *pinned = nullptr;
    const Answer answer = is_charged([&] {
        auto error = sized<near_error>();
        const near_status status =
            numa_pool_alloc_pinned(place.workers, place.devices, 0, tried_bytes, &options, &pinned, &error);
        return status == NEAR_OK ? std::string() : std::string(error.message);
    });
    near_pinned_free(pinned);
    return answer;
}

namespace {

// The zone of movable pages of the first node that has any: memory that was plugged in, or asked for at boot.
struct Movable {
    uint32_t node = NEAR_NODE_UNKNOWN;
    int64_t free_pages = 0;
};

Movable look_at_movable() {
    std::ifstream file("/proc/zoneinfo");
    Movable zone;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string first;
        std::string second;
        words >> first >> second;
        if (first == "Node") {
            inside = line.find("zone  Movable") != std::string::npos;
            zone.node = inside ? static_cast<uint32_t>(std::strtoul(second.c_str(), nullptr, 10)) : zone.node;
        } else if (inside && first == "pages" && second == "free") {
            words >> zone.free_pages;
        } else if (inside && first == "managed" && second != "0") {
            return zone;
        }
    }
    return {};
}

} // namespace

Answer registering_moves_pages(const Place &place) {
    constexpr auto half = static_cast<int64_t>(tried_bytes / 4096 / 2);
    const Movable before = look_at_movable();
    if (before.node == NEAR_NODE_UNKNOWN) {
        return not_testable("no node has a zone of movable pages");
    }
    const Region region(before.node);
    if (region.data() == nullptr) {
        return not_testable(region.why());
    }
    const Movable faulted = look_at_movable();
    if (before.free_pages - faulted.free_pages < half) {
        return not_testable("the kernel took the pages from another zone");
    }
    const CUresult code = place.driver.mem_host_register(region.data(), tried_bytes, host_register_portable);
    if (code != cuda_success) {
        return not_testable(failure("cuMemHostRegister", code));
    }
    const int64_t moved = look_at_movable().free_pages - faulted.free_pages;
    place.driver.mem_host_unregister(region.data());
    return {moved >= half ? Answer::yes : Answer::no,
            std::to_string(moved) + " more pages of 4 KiB free in the zone of node " + std::to_string(before.node) +
                " after " + in_mib(tried_bytes) + " were registered"};
}

} // namespace facts
