// SPDX-License-Identifier: Apache-2.0
// Memory that is made, given addresses and opened to those who use it in three steps.
#pragma once

#include "pin.hpp"
#include "state.hpp"

#include <map>

namespace fakes::cuda {

/// Memory of a device or of a node of the host: a file without a name. Its last page, which nobody maps, holds what it
/// is.
struct Allocation {
    Allocation() = default;
    Allocation(const Allocation &) = delete;
    Allocation &operator=(const Allocation &) = delete;
    ~Allocation();

    int file = -1;
    std::size_t bytes = 0;
    CUmemAllocationProp properties{};
    char *backing = nullptr;
    bool charged = false; // its device's memory was taken
    std::shared_ptr<Pinned> pinned;
};

struct Mapping {
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    std::shared_ptr<Allocation> allocation;
    std::set<int> devices; // that may use it
};

struct VirtualMemory {
    std::mutex mutex;
    std::map<CUmemGenericAllocationHandle, std::shared_ptr<Allocation>> handles;
    std::map<CUdeviceptr, std::size_t> reservations;
    std::map<CUdeviceptr, Mapping> mappings;
};
VirtualMemory &virtual_memory();

/// What is mapped at an address; nullptr: nothing. Under VirtualMemory::mutex.
Mapping *find_mapping(CUdeviceptr address);

bool is_host(const CUmemLocation &location);

/// Whether a location is one that memory can be made on; an error otherwise.
CUresult check_location(const CUmemLocation &location);

/// New memory at a location, locked where it is the host's.
CUresult make_allocation(std::size_t bytes, const CUmemAllocationProp &properties, std::shared_ptr<Allocation> *made);

/// The memory behind a file that another process may have made.
CUresult adopt_allocation(int file, std::shared_ptr<Allocation> *adopted);

void drop_virtual_memory();
std::string held_virtual_memory();

constexpr std::size_t granularity = std::size_t{2} << 20;

} // namespace fakes::cuda
