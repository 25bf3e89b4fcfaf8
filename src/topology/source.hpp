// SPDX-License-Identifier: Apache-2.0
// What hwloc has read, and how to read it again with the I/O devices, which are left out at first: they take several
// times as long.
#pragma once

#include "base/error.hpp"
#include "sys/ports.hpp"
#include "topology/hwloc_handle.hpp"

#include <string>

namespace nearpool {

enum class Origin {
    live,      // hwloc asks the running system
    xml,       // text is hwloc's XML
    synthetic, // text is hwloc's description
};

// Reads a machine with hwloc, with or without its I/O devices.
Result<HwlocHandle> load_hwloc(Origin origin, const std::string &text, bool devices);

// The variable of the environment that would make hwloc read something else than the running system; nullptr: none.
const char *hwloc_override();

class TopologySource {
public:
    // `root` is where /sys is ("" for this machine's), `files` reads there; files NULL: there is no /sys.
    TopologySource(HwlocHandle plain, Origin origin, std::string text, FilePort *files, std::string root);

    hwloc_topology_t plain() const { return plain_.get(); }
    FilePort *files() const { return files_; }
    const std::string &root() const { return root_; }

    Result<std::string> export_xml() const;

    // With I/O devices; read when first asked, tried again after a failure.
    Result<hwloc_topology_t> with_devices() const;

private:
    HwlocHandle plain_;
    Origin origin_;
    std::string text_;
    FilePort *files_;
    std::string root_;
    mutable HwlocHandle with_devices_;
};

} // namespace nearpool
