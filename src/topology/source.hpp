// SPDX-License-Identifier: Apache-2.0
// Where a topology came from: what reads it again, with the I/O devices, which are left out at first, and writes it.
#pragma once

#include "base/error.hpp"
#include "sys/ports.hpp"
#include "topology/hwloc_handle.hpp"

#include <functional>
#include <string>

namespace nearpool {

enum class Origin {
    files,     // /sys under a root, read here; hwloc knows nothing of it
    xml,       // text is hwloc's XML
    synthetic, // text is hwloc's description
};

// Reads XML or a description with hwloc, with or without its I/O devices.
Result<HwlocHandle> load_hwloc(Origin origin, const std::string &text, bool devices);

class TopologySource {
public:
    static std::unique_ptr<TopologySource> of_files(FilePort &files, std::string root);
    static std::unique_ptr<TopologySource> of_text(Origin origin, std::string text);

    FilePort *files() const { return files_; } // nullptr: there is no /sys
    const std::string &root() const { return root_; }
    Origin origin() const { return origin_; }
    const std::string &text() const { return text_; }

    // Of XML: with its I/O devices; read when first asked, tried again after a failure.
    Result<hwloc_topology_t> with_devices() const;

private:
    TopologySource(Origin origin, std::string text, FilePort *files, std::string root);

    Origin origin_;
    std::string text_;
    FilePort *files_;
    std::string root_;
    mutable HwlocHandle with_devices_;
};

// hwloc's XML of what it makes of `text` after `complete` has added to it.
Result<std::string> export_xml(Origin origin, const std::string &text,
                               const std::function<void(hwloc_topology_t)> &complete);

} // namespace nearpool
