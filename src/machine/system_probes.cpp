// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "machine/pin.hpp"
#include "machine/probes.hpp"
#include "machine/quota.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace nearpool::probes {
namespace {

struct PinTrial {
    const Ports &ports;
    const NumberSet &allowed;
    Enforcement achieved;
};

// On a thread of our own, which ends with what was done to it. First and last: a pin that changes nothing would pass
// one.
void *try_pins(void *argument) {
    auto &trial = *static_cast<PinTrial *>(argument);
    trial.ports.threads.set_name("near-probe");
    trial.achieved = pin_current_thread(trial.ports, {trial.allowed[0]});
    if (trial.achieved.level == NEAR_LEVEL_STRICT && trial.allowed.size() > 1) {
        trial.achieved = pin_current_thread(trial.ports, {trial.allowed.back()});
    }
    return nullptr;
}

// The word in brackets of "always [madvise] never".
std::string chosen(const std::string &text) {
    const std::size_t begin = text.find('[');
    const std::size_t end = text.find(']', std::min(begin, text.size()));
    return end == std::string::npos ? "unknown" : text.substr(begin + 1, end - begin - 1);
}

std::optional<uint64_t> number_of(FilePort &files, const std::string &path) {
    std::string text;
    uint64_t value = 0;
    const bool read = files.read(path, &text) == 0 &&
                      std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
    return read ? std::optional(value) : std::nullopt;
}

} // namespace

int32_t reason_of_errno(int error) {
    switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
        return NEAR_REASON_FORBIDDEN;
    case ENOMEM:
    case EAGAIN:
        return NEAR_REASON_LIMIT;
    default:
        return NEAR_REASON_SYSTEM;
    }
}

std::string errno_text(int error) {
    return std::system_category().message(error);
}

std::optional<uint64_t> number_in(FilePort &files, const std::string &path, const std::string &name) {
    std::string text;
    const std::size_t place = files.read(path, &text) == 0 ? text.find(name) : std::string::npos;
    if (place == std::string::npos) {
        return std::nullopt;
    }
    const std::size_t begin = text.find_first_not_of(": \t", place + name.size());
    uint64_t value = 0;
    const bool read = begin != std::string::npos &&
                      std::from_chars(text.data() + begin, text.data() + text.size(), value).ec == std::errc();
    return read ? std::optional(value) : std::nullopt;
}

Capability affinity(const Ports &ports, const Topology &topology) {
    if (topology.allowed_cpus().empty()) {
        return Capability::no(NEAR_REASON_NOT_ALLOWED, "no CPU of this machine is allowed");
    }
    PinTrial trial{ports, topology.allowed_cpus(), {}};
    pthread_t thread{};
    if (const int error = ports.threads.start(&thread, try_pins, &trial); error < 0) {
        return Capability::no(reason_of_errno(-error), "a thread to try it on could not start: " + errno_text(-error));
    }
    ports.threads.join(thread);
    if (trial.achieved.level == NEAR_LEVEL_STRICT) {
        return Capability::yes("a thread that was pinned is seen on its CPU");
    }
    return Capability::no(trial.achieved.reason, trial.achieved.text);
}

Capability huge_pages(FilePort &files, const Topology &topology, uint64_t page_kib) {
    const std::string size = "/hugepages-" + std::to_string(page_kib) + "kB/";
    uint64_t free = 0;
    bool known = false;
    for (const uint32_t node : topology.allowed_nodes()) {
        const std::string folder = "/sys/devices/system/node/node" + std::to_string(node) + "/hugepages";
        const std::optional<uint64_t> here = number_of(files, folder + size + "free_hugepages");
        free += here.value_or(0);
        known = known || here.has_value();
    }
    if (!known) { // a machine that shows no nodes
        const std::optional<uint64_t> all = number_of(files, "/sys/kernel/mm/hugepages" + size + "free_hugepages");
        free = all.value_or(0);
        known = all.has_value();
    }
    if (!known) {
        return Capability::no(NEAR_REASON_KERNEL, "the kernel has no huge pages of this size");
    }
    if (free == 0) {
        return Capability::no(NEAR_REASON_NO_HUGE_PAGES, "none is free on the allowed nodes; set some aside in "
                                                         "/sys/kernel/mm/hugepages" +
                                                             size + "nr_hugepages");
    }
    return Capability::yes(format("%llu are free on the allowed nodes", static_cast<unsigned long long>(free)), free);
}

Capability transparent_huge(FilePort &files) {
    std::string enabled;
    std::string defrag;
    if (files.read("/sys/kernel/mm/transparent_hugepage/enabled", &enabled) != 0) {
        return Capability::no(NEAR_REASON_KERNEL, "the kernel has no transparent huge pages");
    }
    files.read("/sys/kernel/mm/transparent_hugepage/defrag", &defrag);
    const std::string text = "enabled is " + chosen(enabled) + ", defrag is " + chosen(defrag);
    const bool off = chosen(enabled) != "always" && chosen(enabled) != "madvise";
    if (!off && number_in(files, "/proc/self/status", "\nTHP_enabled").value_or(1) == 0) {
        return Capability::no(NEAR_REASON_NO_HUGE_PAGES,
                              text + ", and off for this process (PR_SET_THP_DISABLE, which systemd's MemoryTHP= and "
                                     "programs themselves set)");
    }
    return off ? Capability::no(NEAR_REASON_NO_HUGE_PAGES, text) : Capability::yes(text);
}

Capability balancing_off(FilePort &files) {
    const std::optional<uint64_t> mode = number_of(files, "/proc/sys/kernel/numa_balancing");
    if (mode.value_or(0) == 0) {
        return Capability::yes(mode ? "automatic NUMA balancing is off" : "the kernel has no automatic NUMA balancing");
    }
    return Capability::no(NEAR_REASON_BALANCING,
                          format("automatic NUMA balancing is on (mode %llu); it leaves bound pages where they are",
                                 static_cast<unsigned long long>(*mode)));
}

Capability all_cpus(const Topology &topology) {
    const NumberSet &allowed = topology.allowed_cpus();
    const std::string text = "CPUs " + allowed.text() + " of " + topology.cpu_numbers().text() + " are allowed";
    return allowed == topology.cpu_numbers() ? Capability::yes(text, allowed.size())
                                             : Capability::no(NEAR_REASON_NOT_ALLOWED, text, allowed.size());
}

Capability all_memory(const Topology &topology) {
    NumberSet with_memory;
    for (const Node &node : topology.nodes()) {
        if (node.has_memory) {
            with_memory.add(node.number);
        }
    }
    const NumberSet &allowed = topology.allowed_nodes();
    const std::string text = "the memory of nodes " + allowed.text() + " of " + with_memory.text() + " is allowed";
    return allowed == with_memory ? Capability::yes(text, allowed.size())
                                  : Capability::no(NEAR_REASON_NOT_ALLOWED, text, allowed.size());
}

Capability no_quota(FilePort &files) {
    const std::optional<uint64_t> quota = cpu_quota_millis(files);
    if (!quota) {
        return Capability::yes("no control group limits the CPU time");
    }
    return Capability::no(NEAR_REASON_QUOTA,
                          format("the control group leaves %llu.%03llu CPUs",
                                 static_cast<unsigned long long>(*quota / 1000),
                                 static_cast<unsigned long long>(*quota % 1000)),
                          *quota);
}

Capability no_seccomp(FilePort &files) {
    const uint64_t mode = number_in(files, "/proc/self/status", "\nSeccomp").value_or(0);
    if (mode == 0) {
        return Capability::yes("no seccomp filter is installed");
    }
    return Capability::no(NEAR_REASON_FORBIDDEN, mode == 1
                                                     ? "seccomp allows reading and writing only"
                                                     : "a seccomp filter is installed; it may refuse system calls");
}

} // namespace nearpool::probes
