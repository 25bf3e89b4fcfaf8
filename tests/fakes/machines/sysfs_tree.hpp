// SPDX-License-Identifier: Apache-2.0
// Machines as the files of /sys and /proc that describe them, to be put into a folder or into FakeFiles.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace nearpool::fakes {

struct SysfsNodeFacts {
    uint32_t number = 0;
    std::vector<uint32_t> cpus;
    uint64_t memory_kib = 1024 * 1024;
    std::vector<uint32_t> distances; // to the nodes in the order in which they are given; empty: no file
    uint32_t huge_2m = 0;
};

class SysfsTree {
public:
    // Nodes in ascending order. Each node is a package; each CPU a core.
    explicit SysfsTree(const std::vector<SysfsNodeFacts> &nodes) {
        std::vector<uint32_t> cpus;
        std::vector<uint32_t> numbers;
        for (const SysfsNodeFacts &node : nodes) {
            add_node(node);
            numbers.push_back(node.number);
            cpus.insert(cpus.end(), node.cpus.begin(), node.cpus.end());
        }
        set("/sys/devices/system/node/online", list(numbers) + "\n");
        set("/sys/devices/system/cpu/online", list(cpus) + "\n");
        set("/proc/meminfo", "MemTotal:       4096000 kB\n");
        allow(list(cpus), list(numbers));
    }

    void set(const std::string &path, const std::string &text) { files_[path] = text; }
    void remove(const std::string &path) { files_.erase(path); }
    void remove_folder(const std::string &path) {
        const auto inside = [&](const std::string &file) { return file.compare(0, path.size() + 1, path + "/") == 0; };
        for (auto file = files_.begin(); file != files_.end();) {
            file = inside(file->first) ? files_.erase(file) : std::next(file);
        }
    }
    void link(const std::string &path, const std::string &target) { links_[path] = target; }

    void allow(const std::string &cpus, const std::string &nodes) {
        set("/proc/self/status",
            "Name:\ttest\nCpus_allowed_list:\t" + cpus + "\nMems_allowed_list:\t" + nodes + "\nSeccomp:\t0\n");
    }

    // Everything under /sys that the tree does not have is absent in `files` (FakeFiles).
    template <class Files> void fill(Files &files) const {
        files.hide("/sys/devices/system/");
        for (const char *absent : {"/sys/bus/pci/", "/sys/bus/dax/", "/sys/class/pci_bus", "/sys/class/net",
                                   "/sys/class/infiniband", "/sys/block", "/sys/devices/virtual/memory_tiering",
                                   "/sys/devices/cpu_", "/proc/cpuinfo", "/proc/driver/nvidia", "/proc/self/smaps"}) {
            files.hide(absent);
        }
        std::map<std::string, std::set<std::string>> folders;
        for (const auto &[path, text] : files_) {
            files.set(path, text);
            name_in_folders(path, folders);
        }
        for (const auto &[path, target] : links_) {
            files.set_link(path, target);
            name_in_folders(path, folders);
        }
        for (const auto &[path, names] : folders) {
            files.set_folder(path, {names.begin(), names.end()});
        }
    }

    void write(const std::string &root) const {
        for (const auto &[path, text] : files_) {
            const std::filesystem::path file = root + path;
            std::filesystem::create_directories(file.parent_path());
            std::ofstream(file) << text;
        }
        for (const auto &[path, target] : links_) {
            const std::filesystem::path link = root + path;
            std::filesystem::create_directories(link.parent_path());
            std::filesystem::create_symlink(target, link);
        }
    }

    static std::string list(const std::vector<uint32_t> &numbers) {
        std::string text;
        for (const uint32_t number : numbers) {
            text += (text.empty() ? "" : ",") + std::to_string(number);
        }
        return text;
    }

private:
    static void name_in_folders(std::string path, std::map<std::string, std::set<std::string>> &folders) {
        for (std::size_t cut = path.rfind('/'); cut != 0 && cut != std::string::npos; cut = path.rfind('/')) {
            folders[path.substr(0, cut)].insert(path.substr(cut + 1));
            path.resize(cut);
        }
    }

    void add_node(const SysfsNodeFacts &node) {
        const std::string folder = "/sys/devices/system/node/node" + std::to_string(node.number);
        const std::string kib = std::to_string(node.memory_kib);
        set(folder + "/cpulist", list(node.cpus) + "\n");
        set(folder + "/meminfo", "Node " + std::to_string(node.number) + " MemTotal:       " + kib + " kB\nNode " +
                                     std::to_string(node.number) + " MemFree:       " + kib + " kB\n");
        set(folder + "/hugepages/hugepages-2048kB/nr_hugepages", std::to_string(node.huge_2m) + "\n");
        set(folder + "/hugepages/hugepages-2048kB/free_hugepages", std::to_string(node.huge_2m) + "\n");
        std::string line;
        for (const uint32_t distance : node.distances) {
            line += (line.empty() ? "" : " ") + std::to_string(distance);
        }
        if (!line.empty()) {
            set(folder + "/distance", line + "\n");
        }
        for (const uint32_t cpu : node.cpus) {
            const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology";
            set(topology + "/core_cpus_list", std::to_string(cpu) + "\n");
            set(topology + "/package_cpus_list", list(node.cpus) + "\n");
        }
    }

    std::map<std::string, std::string> files_;
    std::map<std::string, std::string> links_;
};

// A folder of its own, gone at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nearpool-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("mkdtemp " + pattern);
        }
        path_ = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder &) = delete;
    TemporaryFolder &operator=(const TemporaryFolder &) = delete;

    const std::string &path() const { return path_; }
    std::string write(const std::string &name, const std::string &text) const {
        const std::string path = path_ + "/" + name;
        std::ofstream(path) << text;
        return path;
    }

private:
    std::string path_;
};

// Nodes 0 and 8 with two CPUs each.
inline SysfsTree sparse_machine() {
    return SysfsTree({{0, {0, 1}, 1024 * 1024, {10, 32}, 0}, {8, {2, 3}, 2048 * 1024, {32, 10}, 7}});
}

} // namespace nearpool::fakes
