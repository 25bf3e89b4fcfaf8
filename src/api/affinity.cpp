// SPDX-License-Identifier: Apache-2.0
#include "api/pin_options.hpp"
#include "api/process.hpp"
#include "base/text.hpp"

#include <nearpool/affinity.h>

#include <mutex>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_cpus(const uint32_t *cpus, size_t cpu_count) {
    if (cpu_count == 0) {
        return fail(NEAR_E_EMPTY_SET, "cpus is empty; name at least one CPU");
    }
    if (Done ok = check_pointer(cpus, "cpus"); !ok) {
        return ok;
    }
    return check_count(cpu_count, sizeof *cpus, "cpus");
}

NumberSet set_of(const uint32_t *cpus, size_t cpu_count) {
    return NumberSet(std::vector<uint32_t>(cpus, cpus + cpu_count));
}

// To look at a pin may pin its thread again; for callers it stays the same pin.
Pin *pin_of(const near_pin *pin) {
    return reinterpret_cast<Pin *>(const_cast<near_pin *>(pin));
}

// The pins on a topology: `make` gets it and whether to be strict.
template <class Make>
Done pin_on(const near_topology *topology, const near_pin_options *options, near_pin **pin, Make &&make) {
    return pin_with(options, pin, [&](bool strict) -> Result<std::unique_ptr<Pin>> {
        const Result<Ref<const Topology>> found = topology_of(topology);
        return found ? make(*found.value(), strict) : Result<std::unique_ptr<Pin>>(found.error());
    });
}

// A machine that cannot be read is no reason to refuse: the kernel knows its CPUs too.
Done check_on_this_machine(const NumberSet &cpus) {
    const Result<Ref<const Topology>> machine = this_machine();
    for (const uint32_t cpu : cpus) {
        if (machine && machine.value()->cpu(cpu) == nullptr) {
            return fail(NEAR_E_NO_CPU, "CPU %u is not on this machine (CPUs %s)", cpu,
                        machine.value()->cpu_numbers().text().c_str());
        }
    }
    return {};
}

// On a worker it is the host's from now on: a look at the pool changes it no more.
int set_for_good(const NumberSet &cpus) {
    PinThread *const thread = PinThread::current();
    if (thread == nullptr) {
        return real_ports().affinity.set(cpus);
    }
    const std::lock_guard<ForkMutex> lock(thread->mutex());
    const int code = real_ports().affinity.set(cpus);
    if (code == 0) {
        thread->leave_to_host();
    }
    return code;
}

} // namespace

extern "C" {

near_status near_pin_cpus(const near_topology *topology, const uint32_t *cpus, size_t cpu_count,
                          const near_pin_options *options, near_pin **pin, near_error *error) {
    return guarded("near_pin_cpus", error, [&]() -> Done {
        if (Done ok = check_cpus(cpus, cpu_count); !ok) {
            return ok;
        }
        return pin_on(topology, options, pin, [&](const Topology &machine, bool strict) {
            return Pin::to_cpus(real_ports(), machine, set_of(cpus, cpu_count), strict);
        });
    });
}

near_status near_pin_node(const near_topology *topology, uint32_t node, const near_pin_options *options, near_pin **pin,
                          near_error *error) {
    return guarded("near_pin_node", error, [&]() -> Done {
        return pin_on(topology, options, pin, [&](const Topology &machine, bool strict) {
            return Pin::to_node(real_ports(), machine, node, strict);
        });
    });
}

near_status near_pin_nearest(const near_topology *topology, uint32_t node, const near_pin_options *options,
                             near_pin **pin, near_error *error) {
    return guarded("near_pin_nearest", error, [&]() -> Done {
        return pin_on(topology, options, pin, [&](const Topology &machine, bool strict) {
            return Pin::to_nearest(real_ports(), machine, node, strict);
        });
    });
}

near_status near_pin_get_report(const near_pin *pin, near_pin_report *report) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pin, "pin"); !ok) {
            return ok;
        }
        if (Done ok = check_output(report, "near_pin_report"); !ok) {
            return ok;
        }
        const PinReport known = pin_of(pin)->report();
        near_pin_report answer{};
        answer.level = known.enforcement.level;
        answer.reason_code = known.enforcement.reason;
        answer.node = known.node;
        answer.cpu_count = known.cpu_count;
        copy_text(answer.reason, known.enforcement.text);
        write_struct(report, answer);
        return {};
    });
}

near_status near_pin_release(near_pin *pin, near_error *error) {
    return guarded("near_pin_release", error,
                   [&]() -> Done { return pin == nullptr ? Done() : Pin::release(reinterpret_cast<Pin *>(pin)); });
}

near_status near_affinity_get(uint32_t *cpus, size_t capacity, size_t *needed, near_error *error) {
    return guarded("near_affinity_get", error, [&]() -> Done {
        if (Done ok = check_output_list(cpus, capacity, needed, "cpus"); !ok) {
            return ok;
        }
        NumberSet seen;
        if (const int code = real_ports().affinity.get(&seen); code < 0) {
            return fail_system(-code, "the kernel does not say on which CPUs the thread may run");
        }
        return write_list(std::vector<uint32_t>(seen.begin(), seen.end()), cpus, capacity, needed, "cpus");
    });
}

near_status near_affinity_set(const uint32_t *cpus, size_t cpu_count, near_error *error) {
    return guarded("near_affinity_set", error, [&]() -> Done {
        if (Done ok = check_cpus(cpus, cpu_count); !ok) {
            return ok;
        }
        const NumberSet wanted = set_of(cpus, cpu_count);
        if (Done ok = check_on_this_machine(wanted); !ok) {
            return ok;
        }
        if (Pin::held_by_caller()) {
            return fail(NEAR_E_BUSY, "this thread holds a pin; release it first");
        }
        if (const int code = set_for_good(wanted); code < 0) {
            return fail_system(-code, "the kernel refused CPUs %s", wanted.text().c_str());
        }
        return {};
    });
}
}
