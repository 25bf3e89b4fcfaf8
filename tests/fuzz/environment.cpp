// SPDX-License-Identifier: Apache-2.0
// Variables of the environment, NAME=value in lines: what the library reads of them itself, and those of hwloc, which
// must not change the machine that the kernel's files describe. NEARPOOL_LOG is left out, and so are hwloc's that ask
// for words on standard error.
#include "fuzz/harness.hpp"
#include "fuzz/machine.hpp"

#include "cuda/loader.hpp"
#include "fakes/machines/sysfs_tree.hpp"
#include "fakes/machines/xml_machine.hpp"

#include <nearpool/stream_pool_work.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace nearpool::fuzz {
namespace {

constexpr const char *names[] = {
    "NEARPOOL_CUDA_LIBRARY",
    "NEARPOOL_NVML_LIBRARY",
    "NEARPOOL_STREAM_MB",
    "HWLOC_ALLOW",
    "HWLOC_COMPONENTS",
    "HWLOC_CPUID_PATH",
    "HWLOC_CPUKINDS_RANKING",
    "HWLOC_DONT_ADD_VERSION_INFO",
    "HWLOC_FSROOT",
    "HWLOC_GROUPING",
    "HWLOC_HIDE_ERRORS",
    "HWLOC_KEEP_NVIDIA_GPU_NUMA_NODES",
    "HWLOC_LIBXML",
    "HWLOC_LIBXML_EXPORT",
    "HWLOC_LIBXML_IMPORT",
    "HWLOC_PCI_LOCALITY",
    "HWLOC_SYNTHETIC",
    "HWLOC_THISSYSTEM",
    "HWLOC_THISSYSTEM_ALLOWED_RESOURCES",
    "HWLOC_USE_NUMA_DISTANCES",
    "HWLOC_XMLFILE",
};

// Those that the input gives are set, the others are not.
void apply(std::string_view text) {
    for (const char *name : names) {
        unsetenv(name);
    }
    while (!text.empty()) {
        const std::string line(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t equals = line.find('=');
        const std::string name = line.substr(0, equals);
        const bool known =
            std::any_of(std::begin(names), std::end(names), [&](const char *each) { return name == each; });
        if (known && equals != std::string::npos) {
            setenv(name.c_str(), line.c_str() + equals + 1, 1);
        }
    }
}

// Has no library, and knows what it was asked for.
class NoLibraries final : public LibraryPort {
public:
    void *open(const std::string &name, std::string *why) override {
        asked.push_back(name);
        *why = name + ": not here";
        return nullptr;
    }
    void *symbol(void * /*library*/, const char * /*name*/) override { return nullptr; }

    std::vector<std::string> asked;
};

std::string chosen(const char *variable, const char *usual) {
    const char *value = std::getenv(variable);
    return value == nullptr || *value == '\0' ? usual : value;
}

void load_driver() {
    const Ports &real = real_ports();
    NoLibraries libraries;
    const Ports ports{real.memory, real.policy, real.affinity, real.futex, real.files, real.threads, libraries};
    cuda::Loader loader(ports);
    const auto driver = loader.driver();
    require(!driver && driver.error().status == NEAR_E_NO_DRIVER, "without its library there is no driver");
    std::string why;
    require(loader.nvml(&why) == nullptr && !why.empty(), "without its library there is no NVML");
    require(libraries.asked.size() == 2, "each library is looked for once");
    require(libraries.asked[0] == chosen("NEARPOOL_CUDA_LIBRARY", "libcuda.so.1"),
            "the driver's library is the one named");
    require(libraries.asked[1] == chosen("NEARPOOL_NVML_LIBRARY", "libnvidia-ml.so.1"),
            "NVML's library is the one named");
}

void plan_budget() {
    const uint64_t one = stream_pool_planned_budget(1, 1);
    require(one > 0, "a stream has a budget");
    require(one % (UINT64_C(1) << 20) == 0, "a budget is in whole MiB");
    require(stream_pool_planned_budget(2, 3) >= one, "more streams have no smaller budget");
    require(stream_pool_planned_budget(UINT64_MAX, 2) == UINT64_MAX, "a budget saturates");
}

void discover() {
    fakes::FakeFiles files;
    fakes::sparse_machine().fill(files);
    files.hide("/sys/");
    const auto topology = Topology::discover(ports_with(files));
    require(static_cast<bool>(topology), topology ? std::string() : "the machine is read: " + topology.error().message);
    require(topology.value()->node_numbers() == (planted() ? NumberSet{0} : NumberSet{0, 8}),
            "the nodes are those of the kernel's files");
    require(topology.value()->cpu_numbers() == NumberSet({0, 1, 2, 3}), "the CPUs are those of the kernel's files");
}

// hwloc reads it, unless the variables would have it print that it lacks a component.
void read_xml() {
    static const std::string text = [] {
        fakes::XmlNode eighth;
        eighth.number = 8;
        return fakes::xml_machine({{{0, 1}, {fakes::XmlNode{}}}, {{2, 3}, {eighth}}});
    }();
    fakes::FakeFiles files;
    files.set("/machine.xml", text);
    const auto topology = Topology::from_xml(ports_with(files), "/machine.xml");
    if (!topology) {
        require(topology.error().message.find("HWLOC_COMPONENTS") != std::string::npos,
                "XML is refused for its components alone: " + topology.error().message);
        return;
    }
    require(topology.value()->node_numbers() == NumberSet{0, 8}, "the nodes are those of the XML");
    require(topology.value()->cpu_numbers() == NumberSet({0, 1, 2, 3}), "the CPUs are those of the XML");
}

} // namespace

void environment_variables(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    apply(input.rest());
    load_driver();
    plan_budget();
    discover();
    read_xml();
    apply("");
}

} // namespace nearpool::fuzz
