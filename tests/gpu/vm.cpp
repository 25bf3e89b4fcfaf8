// SPDX-License-Identifier: Apache-2.0
// GPUs on real nodes, in the machines of tests/vm: the fake driver's have the addresses of PCI devices that are there.
// Next to which node they are, and where work for them runs: the kernel is asked, inside the tasks.
#include "gpu/vm_support.hpp"

using namespace nearpool_gpu;
using namespace nearpool_test;

namespace {

// In both machines.
std::set<uint32_t> cpus_of(uint32_t node) {
    return {2 * node, 2 * node + 1};
}

std::set<uint32_t> allowed_cpus() { // the kernel's word
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    std::set<uint32_t> cpus;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            cpus.insert(cpu);
        }
    }
    return cpus;
}

device_pool_facts facts_of(device_pool *devices, int32_t ordinal) {
    device_pool_facts facts{};
    facts.struct_size = sizeof facts;
    EXPECT_EQ(device_pool_get_facts(devices, ordinal, &facts), NEAR_OK);
    return facts;
}

void expect_node(device_pool *devices, int32_t ordinal, uint32_t node, uint32_t attached, int32_t source) {
    const device_pool_facts facts = facts_of(devices, ordinal);
    EXPECT_EQ(facts.node, node) << "of device " << ordinal << ", " << facts.pci_address;
    EXPECT_EQ(facts.attached_node, attached) << "of device " << ordinal << ", " << facts.pci_address;
    EXPECT_STREQ(near_node_source_name(facts.node_source), near_node_source_name(source)) << "of device " << ordinal;
    uint32_t known = 77;
    EXPECT_EQ(device_pool_node(devices, ordinal, &known), NEAR_OK);
    EXPECT_EQ(known, node);
}

// Where tasks ran.
struct Visits {
    std::mutex mutex;
    std::set<uint32_t> nodes;
    std::set<uint32_t> cpus;
    int count = 0;

    static near_status run(void *user_data) {
        auto *visits = static_cast<Visits *>(user_data);
        const Place place = here();
        const std::lock_guard<std::mutex> lock(visits->mutex);
        visits->nodes.insert(place.node);
        visits->cpus.insert(place.cpu);
        visits->count++;
        return NEAR_OK;
    }

    void expect_all_on(uint32_t node, int expected) {
        EXPECT_EQ(count, expected);
        EXPECT_EQ(nodes, std::set<uint32_t>{node});
        const std::set<uint32_t> allowed = cpus_of(node);
        for (const uint32_t cpu : cpus) {
            EXPECT_EQ(allowed.count(cpu), 1U) << "a task ran on CPU " << cpu << ", not of node " << node;
        }
    }
};

void expect_tasks_near_on(device_pool *devices, int32_t ordinal, numa_pool *workers, uint32_t node) {
    constexpr int count = 40;
    Visits visits;
    near_status status = NEAR_OK;
    for (int i = 0; status == NEAR_OK && i < count; i++) {
        status = numa_pool_submit_near(workers, devices, ordinal, Visits::run, &visits);
    }
    EXPECT_EQ(status, NEAR_OK);
    EXPECT_EQ(wait_idle(workers), NEAR_OK);
    SCOPED_TRACE("near device " + std::to_string(ordinal));
    visits.expect_all_on(node, count);
}

// With the stream's work not done when the task is accepted.
void expect_continuations_on(device_pool *devices, int32_t ordinal, numa_pool *workers, uint32_t node) {
    constexpr int count = 10;
    SCOPED_TRACE("after streams of device " + std::to_string(ordinal));
    const Streams streams(devices, stream_options(), ordinal);
    Visits visits;
    for (int i = 0; i < count; i++) {
        const uint64_t id = streams.acquire();
        EXPECT_EQ(fake()->hold(streams.at(id)), 0);
        Error error;
        EXPECT_EQ(stream_pool_then(streams, id, workers, Visits::run, &visits, &error), NEAR_OK) << error.message;
        EXPECT_EQ(fake()->let_go(streams.at(id)), 0);
        EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK);
    }
    EXPECT_EQ(wait_idle(workers), NEAR_OK);
    visits.expect_all_on(node, count);
}

// This thread's affinity is the node's CPUs as long as the pin is there, and is then as before.
void expect_pin_near_on(device_pool *devices, int32_t ordinal, uint32_t node) {
    SCOPED_TRACE("near device " + std::to_string(ordinal));
    const std::set<uint32_t> before = allowed_cpus();
    const near_pin_options strict{sizeof strict, 1};
    near_pin *pin = nullptr;
    Error error;
    ASSERT_EQ(near_pin_device(devices, ordinal, &strict, &pin, &error), NEAR_OK) << error.message;
    near_pin_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    EXPECT_EQ(report.node, node);
    EXPECT_EQ(report.level, NEAR_LEVEL_STRICT) << report.reason;
    EXPECT_EQ(allowed_cpus(), cpus_of(node));
    EXPECT_EQ(here().node, node);
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK) << error.message;
    EXPECT_EQ(allowed_cpus(), before);
}

int32_t nearest_to(device_pool *devices, uint32_t node) {
    int32_t ordinal = -1;
    Error error;
    EXPECT_EQ(device_pool_best(devices, DEVICE_POOL_BEST_NEAREST, node, &ordinal, &error), NEAR_OK) << error.message;
    return ordinal;
}

class VmGpu : public FakeGpu {
protected:
    void set_up_in(const char *name) {
        NEEDS_MACHINE(name);
        FakeGpu::SetUp();
    }
};

// A GPU near each node, and one of which nobody knows.
class VmGpuFourNodes : public VmGpu {
protected:
    enum Ordinal : int32_t {
        on_node_2,
        on_node_3,
        unknown,
        on_node_0,
        on_node_1
    };

    void SetUp() override {
        set_up_in("four-nodes");
        if (!IsSkipped() && !HasFatalFailure()) {
            describe();
        }
    }

    static void describe() {
        configure("{\"devices\":[" + device_at(address_on(2)) + "," + device_at(address_on(3), R"("domain_width":8)") +
                  "," + device_at("0000:00:00.0") + "," + device_at(address_on(2, true), R"("host_numa_id":0)") + "," +
                  device_at("0000:00:1f.0", R"("nvml":{"memory_affinity":1})") + "]}");
    }

    static numa_pool_options local_only() { return options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL); }
};

TEST_F(VmGpuFourNodes, TheFirstSourceThatKnowsNamesTheNode) {
    const Devices devices;
    ASSERT_EQ(node_in_sysfs("0000:00:00.0"), -1);
    ASSERT_EQ(node_in_sysfs("0000:00:1f.0"), -1);
    expect_node(devices, on_node_2, 2, 2, NEAR_NODE_SOURCE_SYSFS);
    expect_node(devices, on_node_3, 3, 3, NEAR_NODE_SOURCE_SYSFS);
    expect_node(devices, unknown, NEAR_NODE_UNKNOWN, NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE);
    expect_node(devices, on_node_0, 0, 0, NEAR_NODE_SOURCE_DRIVER); // though sysfs says 2
    expect_node(devices, on_node_1, 1, 1, NEAR_NODE_SOURCE_NVML);
}

TEST_F(VmGpuFourNodes, AnAddressWithEightDigitsIsTheOneInSysfs) {
    const Devices devices;
    char from_driver[32] = "";
    ASSERT_EQ(driver()->device_get_pci_bus_id(from_driver, sizeof from_driver, on_node_3), cuda_success);
    EXPECT_EQ(std::string(from_driver), "00000000:A1:00.0");
    const std::string address = facts_of(devices, on_node_3).pci_address;
    EXPECT_EQ(address, address_on(3));
    EXPECT_EQ(node_in_sysfs(address), 3);
}

// The kernel lets root say that a device has no node; its root port still has one.
TEST_F(VmGpuFourNodes, ADeviceThatSysfsDoesNotKnowIsNextToItsPciRoot) {
    const std::string address = address_on(3);
    std::ofstream(pci_folder + address + "/numa_node") << -1 << std::flush;
    ASSERT_EQ(node_in_sysfs(address), -1);
    {
        const Devices devices;
        expect_node(devices, on_node_3, 3, 3, NEAR_NODE_SOURCE_PCI_ROOT);
    }
    std::ofstream(pci_folder + address + "/numa_node") << 3 << std::flush;
    EXPECT_EQ(node_in_sysfs(address), 3);
}

TEST_F(VmGpuFourNodes, TheNearestDeviceToEachNodeIsByDistance) {
    const Devices devices;
    EXPECT_EQ(nearest_to(devices, 0), on_node_0);
    EXPECT_EQ(nearest_to(devices, 1), on_node_1);
    EXPECT_EQ(nearest_to(devices, 2), on_node_2);
    EXPECT_EQ(nearest_to(devices, 3), on_node_3);
    const Devices two(std::vector<int32_t>{unknown, on_node_2, on_node_1});
    EXPECT_EQ(nearest_to(two, 0), on_node_1) << "12, and 20 to the other";
    EXPECT_EQ(nearest_to(two, 3), on_node_2) << "12, and 20 to the other";
    int32_t ordinal = 77;
    Error error;
    EXPECT_EQ(device_pool_best(two, DEVICE_POOL_BEST_NEAREST, 4, &ordinal, &error), NEAR_E_NO_NODE) << error.message;
    const Devices nobody(std::vector<int32_t>{unknown});
    EXPECT_EQ(device_pool_best(nobody, DEVICE_POOL_BEST_NEAREST, 0, &ordinal, &error), NEAR_E_UNSUPPORTED)
        << error.message;
    EXPECT_EQ(ordinal, 77);
}

TEST_F(VmGpuFourNodes, APinNearADeviceIsOnItsNodesCpus) {
    const Devices devices;
    expect_pin_near_on(devices, on_node_2, 2);
    expect_pin_near_on(devices, on_node_3, 3);
    expect_pin_near_on(devices, on_node_0, 0);
    expect_pin_near_on(devices, on_node_1, 1);
}

TEST_F(VmGpuFourNodes, TasksNearADeviceRunOnItsNodesCpus) {
    const Devices devices;
    const Pool workers(local_only());
    expect_tasks_near_on(devices, on_node_2, workers, 2);
    expect_tasks_near_on(devices, on_node_3, workers, 3);
    expect_tasks_near_on(devices, on_node_0, workers, 0);
    expect_tasks_near_on(devices, on_node_1, workers, 1);
}

TEST_F(VmGpuFourNodes, APoolWithoutTheDevicesNodeRunsThemOnItsNearest) {
    const uint32_t nodes[] = {0, 3};
    numa_pool_options options = local_only();
    options.nodes = nodes;
    options.node_count = 2;
    const Pool workers(options);
    const Devices devices;
    expect_tasks_near_on(devices, on_node_2, workers, 3);
    expect_tasks_near_on(devices, on_node_1, workers, 0);
    expect_continuations_on(devices, on_node_2, workers, 3);
}

TEST_F(VmGpuFourNodes, ContinuationsRunOnTheCpusOfTheDevicesNode) {
    const Devices devices;
    const Pool workers(local_only());
    expect_continuations_on(devices, on_node_2, workers, 2);
    expect_continuations_on(devices, on_node_3, workers, 3);
    expect_continuations_on(devices, on_node_0, workers, 0);
    expect_continuations_on(devices, on_node_1, workers, 1);
}

TEST_F(VmGpuFourNodes, WhereTheNodeIsUnknownWorkRunsNearTheCaller) {
    const Devices devices;
    const Pool workers(local_only());
    for (const uint32_t node : {3U, 1U}) {
        near_pin *pin = nullptr;
        ASSERT_EQ(near_pin_node(nullptr, node, nullptr, &pin, nullptr), NEAR_OK);
        expect_continuations_on(devices, unknown, workers, node);
        expect_tasks_near_on(devices, unknown, workers, node);
        EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    }
}

TEST_F(VmGpuFourNodes, TheUnknownNodeIsNotGuessed) {
    const Devices devices;
    numa_pool_options strictly = local_only();
    strictly.strict = 1;
    const Pool workers(strictly);
    Visits visits;
    EXPECT_EQ(numa_pool_submit_near(workers, devices, unknown, Visits::run, &visits), NEAR_E_STRICT);
    const Streams streams(devices, stream_options(), unknown);
    EXPECT_EQ(stream_pool_then(streams, STREAM_POOL_DEFAULT, workers, Visits::run, &visits, nullptr), NEAR_E_STRICT);
    EXPECT_EQ(wait_idle(workers), NEAR_OK);
    EXPECT_EQ(visits.count, 0);
    EXPECT_EQ(counts_of(workers).accepted, 0U);

    const std::set<uint32_t> before = allowed_cpus();
    near_pin *pin = nullptr;
    Error error;
    ASSERT_EQ(near_pin_device(devices, unknown, nullptr, &pin, &error), NEAR_OK) << error.message;
    near_pin_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    EXPECT_EQ(report.level, NEAR_LEVEL_NONE);
    EXPECT_EQ(report.node, NEAR_NODE_UNKNOWN);
    EXPECT_STRNE(report.reason, "");
    EXPECT_EQ(allowed_cpus(), before);
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK) << error.message;

    const near_pin_options strict{sizeof strict, 1};
    pin = nullptr;
    EXPECT_EQ(near_pin_device(devices, unknown, &strict, &pin, &error), NEAR_E_STRICT) << error.message;
    EXPECT_EQ(pin, nullptr);
    EXPECT_EQ(allowed_cpus(), before);
}

// Its node 2 has memory and no CPUs; the nearest with some is 1, and not the first.
class VmGpuCpulessNode : public VmGpu {
protected:
    enum Ordinal : int32_t {
        on_node_0,
        in_sysfs,
        by_driver
    };

    void SetUp() override {
        set_up_in("cpuless-node");
        if (!IsSkipped() && !HasFatalFailure()) {
            configure("{\"devices\":[" + device_at("0000:00:00.0", R"("host_numa_id":0)") + "," +
                      device_at(address_on(2)) + "," + device_at("0000:00:1f.0", R"("host_numa_id":2)") + "]}");
        }
    }
};

TEST_F(VmGpuCpulessNode, ADeviceOnANodeWithoutCpusWorksOnTheNearestWithSome) {
    const Devices devices;
    expect_node(devices, on_node_0, 0, 0, NEAR_NODE_SOURCE_DRIVER);
    expect_node(devices, in_sysfs, 1, 2, NEAR_NODE_SOURCE_SYSFS);
    expect_node(devices, by_driver, 1, 2, NEAR_NODE_SOURCE_DRIVER);
    EXPECT_EQ(nearest_to(devices, 0), on_node_0);
    EXPECT_EQ(nearest_to(devices, 1), in_sysfs);
    EXPECT_EQ(nearest_to(devices, 2), in_sysfs);
}

TEST_F(VmGpuCpulessNode, WorkForItRunsThere) {
    const Devices devices;
    const Pool workers(options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL));
    for (const int32_t ordinal : {in_sysfs, by_driver}) {
        expect_pin_near_on(devices, ordinal, 1);
        expect_tasks_near_on(devices, ordinal, workers, 1);
        expect_continuations_on(devices, ordinal, workers, 1);
    }
    expect_tasks_near_on(devices, on_node_0, workers, 0);
}

} // namespace
