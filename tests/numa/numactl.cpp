// SPDX-License-Identifier: Apache-2.0
// What `numactl -H` prints of this machine, read line by line: another program than ours, which people believe.
#include "numa/support.hpp"

#include <array>
#include <cstdio>

using namespace nearpool_numa_test;

namespace {

std::string output_of(const std::string &command) {
    FILE *pipe = popen(command.c_str(), "r");
    EXPECT_NE(pipe, nullptr) << command;
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t bytes = 0; pipe != nullptr && (bytes = fread(part.data(), 1, part.size(), pipe)) > 0;) {
        text.append(part.data(), bytes);
    }
    EXPECT_EQ(pipe != nullptr ? pclose(pipe) : -1, 0) << command << " printed: " << text;
    return text;
}

std::vector<uint32_t> numbers_in(std::istream &words) {
    std::vector<uint32_t> numbers;
    for (uint32_t number = 0; words >> number;) {
        numbers.push_back(number);
    }
    return numbers;
}

// "0-3,7"
std::vector<uint32_t> numbers_of_list(const std::string &list) {
    std::vector<uint32_t> numbers;
    std::istringstream parts(list);
    for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t dash = part.find('-');
        const auto first = static_cast<uint32_t>(std::stoul(part));
        const auto last = dash == std::string::npos ? first : static_cast<uint32_t>(std::stoul(part.substr(dash + 1)));
        for (uint32_t number = first; number <= last; number++) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

struct Hardware {
    std::size_t available = 0;
    std::vector<uint32_t> nodes;
    std::map<uint32_t, std::vector<uint32_t>> cpus;
    std::map<uint32_t, uint64_t> mebibytes;
    std::vector<uint32_t> columns; // of the distances
    std::map<uint32_t, std::vector<uint32_t>> distances;
    std::vector<std::string> unknown; // lines
};

// A line of the table of distances: " node   0   1", or "  0:  10  20".
bool read_distances(const std::string &line, Hardware &hardware) {
    std::istringstream words(line);
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
        std::string node;
        words >> node;
        hardware.columns = numbers_in(words);
        return node == "node";
    }
    uint32_t from = 0;
    char its_colon = 0;
    words >> from >> its_colon;
    hardware.distances[from] = numbers_in(words);
    return its_colon == ':';
}

// "node 0 cpus: 0 1", "node 0 size: 8921 MB", "node 0 free: 4394 MB".
bool read_node(const std::string &line, Hardware &hardware) {
    std::istringstream words(line);
    std::string word;
    std::string what;
    uint32_t node = 0;
    if (!(words >> word >> node >> what) || word != "node") {
        return false;
    }
    if (what == "cpus:") {
        hardware.cpus[node] = numbers_in(words);
        return true;
    }
    uint64_t size = 0;
    words >> size >> word;
    if (what == "size:") {
        hardware.mebibytes[node] = size;
    }
    return (what == "size:" || what == "free:") && word == "MB";
}

Hardware read_hardware() {
    Hardware hardware;
    std::istringstream lines(output_of(NUMACTL " -H"));
    bool in_distances = false;
    for (std::string line; std::getline(lines, line);) {
        std::array<char, 4096> list{};
        if (std::sscanf(line.c_str(), "available: %zu nodes (%4095[0-9,-])", &hardware.available, list.data()) == 2) {
            hardware.nodes = numbers_of_list(list.data());
        } else if (line == "node distances:") {
            in_distances = true;
        } else if (!(in_distances ? read_distances(line, hardware) : read_node(line, hardware))) {
            hardware.unknown.push_back(line);
        }
    }
    return hardware;
}

class LibnumaNumactl : public Libnuma {
protected:
    void SetUp() override {
        Libnuma::SetUp();
        if (!IsSkipped()) {
            hardware_ = read_hardware();
            EXPECT_EQ(hardware_.unknown, std::vector<std::string>()) << "lines that this test cannot read";
        }
    }
    Hardware hardware_;
};

TEST_F(LibnumaNumactl, PrintsTheSameNodesAndCpus) {
    EXPECT_EQ(hardware_.nodes, all_nodes());
    EXPECT_EQ(hardware_.available, all_nodes().size());
    ASSERT_EQ(hardware_.cpus.size(), all_nodes().size());
    for (const uint32_t node : all_nodes()) {
        EXPECT_EQ(hardware_.cpus[node], cpus_of(node)) << "node " << node;
    }
}

// A difference: numactl prints whole MiB, and drops what is left; we give bytes.
TEST_F(LibnumaNumactl, PrintsTheSameSizesInWholeMebibytes) {
    ASSERT_EQ(hardware_.mebibytes.size(), all_nodes().size());
    for (const uint32_t node : all_nodes()) {
        EXPECT_EQ(hardware_.mebibytes[node], node_info(node).memory_bytes / mib) << "node " << node;
    }
}

TEST_F(LibnumaNumactl, PrintsTheSameDistances) {
    EXPECT_EQ(hardware_.columns, all_nodes());
    ASSERT_EQ(hardware_.distances.size(), all_nodes().size());
    for (const uint32_t from : all_nodes()) {
        std::vector<uint32_t> ours;
        for (const uint32_t to : all_nodes()) {
            ours.push_back(distance(from, to));
        }
        EXPECT_EQ(hardware_.distances[from], ours) << "from node " << from;
    }
}

} // namespace
