// SPDX-License-Identifier: Apache-2.0
#include "topology/source.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <hwloc/export.h>
#include <mutex>
#include <pthread.h>

namespace nearpool {
namespace {

// One lock for every call into hwloc that is not a plain read, held across fork(), so that the child finds neither it
// nor hwloc's own locks taken by a thread that it does not have.
std::mutex &hwloc_mutex() {
    static std::mutex *const only = [] {
        static std::mutex *made = new std::mutex;
        pthread_atfork([] { made->lock(); }, [] { made->unlock(); }, [] { made->unlock(); });
        return made;
    }();
    return *only;
}

#if HWLOC_API_VERSION >= 0x00030000 // which writes a format of its own unless it is asked for that of hwloc 2
constexpr unsigned long export_flags = HWLOC_TOPOLOGY_EXPORT_XML_FLAG_V2;
#else
constexpr unsigned long export_flags = 0;
#endif

constexpr std::size_t most_shown = 160; // of a text of the caller's in a sentence

std::string shown(const std::string &text) {
    return text.size() <= most_shown ? text : text.substr(0, most_shown) + "...";
}

// The place in a synthetic description from which on hwloc refuses it, for the sentence: the last word of the shortest
// prefix of whole words that is refused. hwloc's own words go to standard error or nowhere.
std::string refused_word(const std::string &description) {
    for (std::size_t end = description.find(' ', 1); end != std::string::npos; end = description.find(' ', end + 1)) {
        hwloc_topology_t probe = nullptr;
        if (hwloc_topology_init(&probe) < 0) {
            return {};
        }
        const HwlocHandle owner(probe);
        // A prefix is complete when it ends in processing units, so that only its own words can be wrong.
        const std::string prefix = description.substr(0, end);
        if (hwloc_topology_set_synthetic(probe, (prefix + " pu:1").c_str()) < 0) {
            const std::size_t begin = prefix.rfind(' ');
            return prefix.substr(begin == std::string::npos ? 0 : begin + 1);
        }
    }
    const std::size_t begin = description.rfind(' ');
    return description.substr(begin == std::string::npos ? 0 : begin + 1);
}

Error refused_synthetic(int error_number, const std::string &text) {
    return fail_system_as(NEAR_E_TOPOLOGY, error_number,
                          "hwloc refuses the synthetic description \"%s\" at \"%s\"; one that it takes is \"pack:2 "
                          "numa:2 core:4 pu:2\" (type:count, from the outside in, ending in pu)",
                          shown(text).c_str(), shown(refused_word(text)).c_str());
}

Done set_origin(hwloc_topology_t topology, Origin origin, const std::string &text) {
    if (origin == Origin::xml &&
        hwloc_topology_set_xmlbuffer(topology, text.c_str(), static_cast<int>(text.size() + 1)) < 0) {
        return fail_system_as(NEAR_E_TOPOLOGY, errno,
                              "hwloc refuses the XML of %zu bytes (it has to be what lstopo or "
                              "near_topology_format() wrote)",
                              text.size());
    }
    if (origin == Origin::synthetic && hwloc_topology_set_synthetic(topology, text.c_str()) < 0) {
        return refused_synthetic(errno, text);
    }
    return {};
}

// hwloc loads its plugins with the first topology and unloads them with the last; some of their libraries lose memory
// then. One that is never loaded keeps them, and spares the next discovery the time.
void keep_plugins() {
    static hwloc_topology_t anchor = nullptr;
    if (anchor == nullptr && hwloc_topology_init(&anchor) < 0) {
        anchor = nullptr;
    }
}

// hwloc writes on standard error where HWLOC_COMPONENTS of the environment enables a component that it does not have.
// Those that every build of it has are no danger. Not through environment(): hwloc reads it in setuid programs too.
Done check_components() {
    const char *variable = std::getenv("HWLOC_COMPONENTS");
    const std::string text = variable == nullptr ? "" : variable;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string name = text.substr(begin, end - begin);
        const bool there = name.empty() || name[0] == '-' || name == "stop" || name == "linux" || name == "xml" ||
                           name == "synthetic" || name == "no_os";
        if (!there) {
            return fail(NEAR_E_TOPOLOGY,
                        "hwloc is not asked, because HWLOC_COMPONENTS of the environment enables its component \"%s\", "
                        "which is not needed here and may be missing",
                        shown(name).c_str());
        }
        begin = end + 1;
    }
    return {};
}

// The lock is held.
Result<HwlocHandle> load_locked(Origin origin, const std::string &text, bool devices) {
    if (Done ok = check_components(); !ok) {
        return ok.error();
    }
    keep_plugins();
    hwloc_topology_t made = nullptr;
    if (hwloc_topology_init(&made) < 0) {
        return fail_system_as(NEAR_E_TOPOLOGY, errno, "hwloc could not start");
    }
    HwlocHandle topology(made);
    // What is not allowed must be seen, to be told from what does not exist.
    hwloc_topology_set_flags(made, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING);
    hwloc_topology_set_type_filter(made, HWLOC_OBJ_MEMCACHE, HWLOC_TYPE_FILTER_KEEP_ALL);
    // Those that were recorded: nothing is started.
    hwloc_topology_set_io_types_filter(made, devices ? HWLOC_TYPE_FILTER_KEEP_ALL : HWLOC_TYPE_FILTER_KEEP_NONE);
    if (Done done = set_origin(made, origin, text); !done) {
        return done.error();
    }
    errno = 0;
    if (hwloc_topology_load(made) < 0) {
        if (origin == Origin::synthetic) {
            return refused_synthetic(errno == 0 ? EINVAL : errno, text);
        }
        return fail_system_as(NEAR_E_TOPOLOGY, errno == 0 ? EINVAL : errno, "hwloc could not read the XML");
    }
    return topology;
}

} // namespace

Result<HwlocHandle> load_hwloc(Origin origin, const std::string &text, bool devices) {
    const std::lock_guard<std::mutex> lock(hwloc_mutex());
    return load_locked(origin, text, devices);
}

Result<std::string> export_xml(Origin origin, const std::string &text,
                               const std::function<void(hwloc_topology_t)> &complete) {
    const std::lock_guard<std::mutex> lock(hwloc_mutex());
    Result<HwlocHandle> loaded = load_locked(origin, text, origin == Origin::xml);
    if (!loaded) {
        return loaded.error();
    }
    hwloc_topology_t topology = loaded.value().get();
    complete(topology);
    char *buffer = nullptr;
    int length = 0;
    if (hwloc_topology_export_xmlbuffer(topology, &buffer, &length, export_flags) < 0) {
        return fail_system_as(NEAR_E_TOPOLOGY, errno, "hwloc could not write the topology as XML");
    }
    const auto give_back = [topology](char *written) { hwloc_free_xmlbuffer(topology, written); };
    const std::unique_ptr<char, decltype(give_back)> owned(buffer, give_back);
    return std::string(buffer); // its length counts the NUL
}

TopologySource::TopologySource(Origin origin, std::string text, FilePort *files, std::string root)
    : origin_(origin), text_(std::move(text)), files_(files), root_(std::move(root)) {}

std::unique_ptr<TopologySource> TopologySource::of_files(FilePort &files, std::string root) {
    return std::unique_ptr<TopologySource>(new TopologySource(Origin::files, "", &files, std::move(root)));
}

std::unique_ptr<TopologySource> TopologySource::of_text(Origin origin, std::string text) {
    return std::unique_ptr<TopologySource>(new TopologySource(origin, std::move(text), nullptr, ""));
}

Result<hwloc_topology_t> TopologySource::with_devices() const {
    const std::lock_guard<std::mutex> lock(hwloc_mutex());
    if (!with_devices_) {
        Result<HwlocHandle> loaded = load_locked(origin_, text_, true);
        if (!loaded) {
            return loaded.error();
        }
        with_devices_ = loaded.take();
    }
    return with_devices_.get();
}

} // namespace nearpool
