// SPDX-License-Identifier: Apache-2.0
// Machines of the contract tests that are read from files.
#pragma once

#include "contract/numa_pool_support.hpp"
#include "fakes/machines/sysfs_tree.hpp"

namespace nearpool_test {

class RecordedMachine {
public:
    RecordedMachine(const RecordedMachine &) = delete;
    RecordedMachine &operator=(const RecordedMachine &) = delete;
    ~RecordedMachine() { near_topology_release(topology_); }
    operator const near_topology *() const { return topology_; } // NOLINT(google-explicit-constructor)

protected:
    RecordedMachine() = default;
    void read(int32_t source, const std::string &path) {
        near_topology_options options{};
        options.struct_size = sizeof options;
        options.source = source;
        options.text = path.c_str();
        Error error;
        EXPECT_EQ(near_topology_create(&options, &topology_, &error), NEAR_OK) << error.message;
    }
    const nearpool::fakes::TemporaryFolder &folder() const { return folder_; }

private:
    nearpool::fakes::TemporaryFolder folder_;
    near_topology *topology_ = nullptr;
};

// From a text of hwloc's XML.
class XmlMachine : public RecordedMachine {
public:
    explicit XmlMachine(const std::string &text) { read(NEAR_TOPOLOGY_XML, folder().write("machine.xml", text)); }
};

// From another root of /sys.
class SysfsMachine : public RecordedMachine {
public:
    explicit SysfsMachine(const nearpool::fakes::SysfsTree &tree) {
        tree.write(folder().path());
        read(NEAR_TOPOLOGY_SYSFS, folder().path());
    }
};

} // namespace nearpool_test
