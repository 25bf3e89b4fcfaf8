// SPDX-License-Identifier: Apache-2.0
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <dirent.h>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nearpool_test {
namespace {

std::string bits(const std::vector<uint32_t> &numbers) { // hwloc's form: words of 32 bits, the highest first
    uint64_t mask = 0;
    for (const uint32_t number : numbers) {
        mask |= uint64_t{1} << number;
    }
    char text[32];
    std::snprintf(text, sizeof text, "0x%08x,0x%08x", static_cast<unsigned>(mask >> 32U), static_cast<unsigned>(mask));
    return text;
}

std::vector<uint32_t> cpus_in(const std::vector<MadeNode> &nodes) {
    std::vector<uint32_t> cpus;
    for (const MadeNode &node : nodes) {
        cpus.insert(cpus.end(), node.cpus.begin(), node.cpus.end());
    }
    return cpus;
}

std::vector<uint32_t> numbers_in(const std::vector<MadeNode> &nodes) {
    std::vector<uint32_t> numbers;
    for (const MadeNode &node : nodes) {
        numbers.push_back(node.number);
    }
    return numbers;
}

class Xml {
public:
    Xml(const std::vector<MadeNode> &nodes, const std::vector<uint32_t> &distances) {
        text_ << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
              << "<topology version=\"2.0\">\n";
        const std::string cpus = bits(cpus_in(nodes));
        const std::string numbers = bits(numbers_in(nodes));
        open("Machine", 0, cpus_in(nodes), numbers_in(nodes),
             "allowed_cpuset=\"" + cpus + "\" allowed_nodeset=\"" + numbers + "\"");
        for (uint32_t package = 0; package < 64; package++) {
            add_package(package, nodes);
        }
        for (const MadeNode &node : nodes) {
            if (node.cpus.empty()) {
                add_memory(node);
            }
        }
        text_ << "</object>\n";
        add_distances(nodes, distances);
        text_ << "</topology>\n";
    }
    std::string text() const { return text_.str(); }

private:
    void open(const char *type, uint32_t number, const std::vector<uint32_t> &cpus, const std::vector<uint32_t> &nodes,
              const std::string &more = "") {
        text_ << "<object type=\"" << type << "\" os_index=\"" << number << "\" cpuset=\"" << bits(cpus)
              << "\" complete_cpuset=\"" << bits(cpus) << "\" nodeset=\"" << bits(nodes) << "\" complete_nodeset=\""
              << bits(nodes) << "\" gp_index=\"" << ++last_id_ << "\" " << more << ">";
    }

    void add_memory(const MadeNode &node) {
        open("NUMANode", node.number, node.cpus, {node.number}, "local_memory=\"1073741824\"");
        text_ << "</object>\n";
    }

    void add_package(uint32_t package, const std::vector<MadeNode> &all) {
        std::vector<MadeNode> own;
        std::copy_if(all.begin(), all.end(), std::back_inserter(own),
                     [&](const MadeNode &node) { return node.package == package && !node.cpus.empty(); });
        if (own.empty()) {
            return;
        }
        open("Package", package, cpus_in(own), numbers_in(own));
        for (const MadeNode &node : own) {
            open("Group", node.number, node.cpus, {node.number}, "kind=\"1001\" subkind=\"0\"");
            add_memory(node);
            for (const uint32_t cpu : node.cpus) {
                open("Core", cpu, {cpu}, {node.number});
                open("PU", cpu, {cpu}, {node.number});
                text_ << "</object></object>\n";
            }
            text_ << "</object>\n";
        }
        text_ << "</object>\n";
    }

    void add_distances(const std::vector<MadeNode> &nodes, const std::vector<uint32_t> &distances) {
        const std::string indexes = list(numbers_in(nodes));
        const std::string values = list(distances);
        text_ << "<distances2 type=\"NUMANode\" nbobjs=\"" << nodes.size()
              << "\" kind=\"5\" name=\"NUMALatency\" indexing=\"os\">\n<indexes length=\"" << indexes.size() << "\">"
              << indexes << "</indexes>\n<u64values length=\"" << values.size() << "\">" << values
              << "</u64values>\n</distances2>\n";
    }

    static std::string list(const std::vector<uint32_t> &numbers) {
        std::string text;
        for (const uint32_t number : numbers) {
            text += std::to_string(number) + " ";
        }
        return text;
    }

    std::ostringstream text_;
    int last_id_ = 0;
};

near_topology *create_topology(int32_t source, const std::string &text) {
    near_topology_options options{};
    options.struct_size = sizeof options;
    options.source = source;
    options.text = text.c_str();
    near_topology *topology = nullptr;
    Error error;
    EXPECT_EQ(near_topology_create(&options, &topology, &error), NEAR_OK) << error.message;
    return topology;
}

} // namespace

Topology::Topology(const std::string &description) : topology_(create_topology(NEAR_TOPOLOGY_SYNTHETIC, description)) {}

Topology::Topology(const std::vector<MadeNode> &nodes, const std::vector<uint32_t> &distances) {
    std::string path = testing::TempDir() + "nearpool-machine-XXXXXX";
    const int descriptor = ::mkstemp(path.data());
    EXPECT_GE(descriptor, 0);
    std::ofstream(path) << Xml(nodes, distances).text();
    topology_ = create_topology(NEAR_TOPOLOGY_XML, path);
    ::close(descriptor);
    ::unlink(path.c_str());
}

Topology four_nodes() {
    return Topology({{0, 0, {0, 1}}, {1, 0, {2, 3}}, {2, 1, {4, 5}}, {3, 1, {6, 7}}},
                    {10, 12, 20, 22, 12, 10, 22, 20, 20, 22, 10, 12, 22, 20, 12, 10});
}

std::vector<uint32_t> nodes_of(numa_pool *pool) {
    std::size_t needed = 0;
    EXPECT_EQ(numa_pool_nodes(pool, nullptr, 0, &needed), NEAR_OK);
    std::vector<uint32_t> nodes(needed);
    EXPECT_EQ(numa_pool_nodes(pool, nodes.data(), nodes.size(), &needed), NEAR_OK);
    return nodes;
}

std::vector<uint64_t> steals_of(numa_pool *pool) {
    std::size_t needed = 0;
    EXPECT_EQ(numa_pool_get_steals(pool, nullptr, 0, &needed), NEAR_OK);
    std::vector<uint64_t> matrix(needed);
    EXPECT_EQ(numa_pool_get_steals(pool, matrix.data(), matrix.size(), &needed), NEAR_OK);
    return matrix;
}

void expect_counts_add_up(numa_pool *pool) {
    const std::vector<uint32_t> nodes = nodes_of(pool);
    const std::vector<uint64_t> matrix = steals_of(pool);
    ASSERT_EQ(matrix.size(), nodes.size() * nodes.size());
    numa_pool_counts sum{};
    for (std::size_t column = 0; column < nodes.size(); column++) {
        const numa_pool_counts counts = counts_of(pool, nodes[column]);
        EXPECT_EQ(counts.accepted, counts.run_local + counts.run_remote + counts.discarded) << "node " << nodes[column];
        EXPECT_EQ(counts.queued, 0U) << "node " << nodes[column];
        uint64_t run = 0;
        uint64_t taken = 0;
        for (std::size_t other = 0; other < nodes.size(); other++) {
            run += matrix[other * nodes.size() + column];
            const bool own = node_info_of(pool, nodes[other]).serving_node == nodes[column];
            taken += own ? 0 : matrix[column * nodes.size() + other];
        }
        EXPECT_EQ(counts.run_local + counts.run_remote, run) << "node " << nodes[column];
        EXPECT_EQ(counts.taken, taken) << "node " << nodes[column];
        sum.accepted += counts.accepted;
        sum.failed += counts.failed;
        sum.discarded += counts.discarded;
    }
    EXPECT_EQ(counts_of(pool).accepted, sum.accepted);
    EXPECT_EQ(counts_of(pool).failed, sum.failed);
    EXPECT_EQ(counts_of(pool).discarded, sum.discarded);
}

uint32_t current_node() {
    uint32_t node = NEAR_NODE_UNKNOWN;
    EXPECT_EQ(numa_pool_current(nullptr, &node, nullptr), NEAR_OK);
    return node;
}

uint32_t current_worker() {
    uint32_t worker = UINT32_MAX;
    EXPECT_EQ(numa_pool_current(nullptr, nullptr, &worker), NEAR_OK);
    return worker;
}

std::vector<std::string> thread_names() {
    std::vector<std::string> names;
    DIR *folder = ::opendir("/proc/self/task");
    for (const dirent *entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
        std::string name;
        std::ifstream file(std::string("/proc/self/task/") + entry->d_name + "/comm");
        if (entry->d_name[0] != '.' && std::getline(file, name)) {
            names.push_back(name);
        }
    }
    ::closedir(folder);
    return names;
}

std::size_t count_threads(const std::string &prefix) {
    const std::vector<std::string> names = thread_names();
    return static_cast<std::size_t>(
        std::count_if(names.begin(), names.end(), [&](const std::string &name) { return name.rfind(prefix, 0) == 0; }));
}

Alone::Alone(const std::string &test) {
    std::string path = testing::TempDir() + "nearpool-alone-XXXXXX";
    const int output = ::mkstemp(path.data());
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        const std::string filter = "--gtest_filter=" + test;
        limit_this_process(300);
        ::execl("/proc/self/exe", "alone", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
        ::_exit(126);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        lines_.push_back(line);
    }
    ::close(output);
    ::unlink(path.c_str());
}

std::string Alone::reason() const {
    const auto skipped = std::find_if(lines_.begin(), lines_.end(),
                                      [](const std::string &line) { return line.find(": Skipped") != line.npos; });
    return lines_.end() - skipped > 1 ? *(skipped + 1) : "[alone] skipped in its own process";
}

std::string Alone::output() const {
    std::string text;
    for (const std::string &line : lines_) {
        text += "    | " + line + "\n";
    }
    return text;
}

namespace {

#if defined(__SANITIZE_ADDRESS__)
// Whether every other thread of this process waits for something, and so holds no lock of the allocator's.
bool others_sleep() {
    const std::string self = std::to_string(::syscall(SYS_gettid));
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string text;
        std::getline(std::ifstream(task.path() / "stat"), text);
        const std::size_t name_end = text.rfind(") "); // proc(5): the state stands behind the name
        if (task.path().filename() != self && name_end != std::string::npos && text[name_end + 2] != 'S') {
            return false;
        }
    }
    return true;
}

// Unlike the C library's, AddressSanitizer's allocator is locked for ever in a child when a thread was in it at the
// fork, and a thread that starts or ends is.
void await_calm() {
    for (int tries = 0; tries < 1000 && !others_sleep(); tries++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}
#else
void await_calm() {}
#endif

} // namespace

int in_child(const std::function<void()> &body) {
    std::fflush(nullptr);
    await_calm();
    const pid_t child = ::fork();
    if (child == 0) {
        limit_this_process();
        body();
        std::fflush(nullptr);
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

} // namespace nearpool_test
