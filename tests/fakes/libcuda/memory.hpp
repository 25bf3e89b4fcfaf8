// SPDX-License-Identifier: Apache-2.0
// Memory that the driver knows: of the host, page-locked, and of the devices.
#pragma once

#include "pin.hpp"
#include "state.hpp"

#include <map>

namespace fakes::cuda {

struct HostBlock {
    std::uintptr_t address = 0; // rounded to pages, as bytes
    std::size_t bytes = 0;
    std::uintptr_t asked = 0; // what the caller gave or got, and gives to take it back
    unsigned flags = 0;
    bool allocated = false; // by cuMemHostAlloc; else registered
    Context *context = nullptr;
    std::shared_ptr<Pinned> pinned; // nullptr: not locked
};

struct DeviceBlock {
    CUdeviceptr address = 0; // of a range that nobody can touch
    std::size_t bytes = 0;
    char *backing = nullptr; // where the contents are
    Context *context = nullptr;
    int device = 0;
    uint64_t id = 0;
    bool managed = false; // the host's as much as the device's
    uint64_t pool = 0;    // that it comes from; 0: none
};

struct Memory {
    std::mutex mutex;
    std::map<std::uintptr_t, HostBlock> host;
    std::map<CUdeviceptr, DeviceBlock> device;
};
Memory &memory();

/// The block with an address in it; nullptr: none. Under Memory::mutex.
HostBlock *find_host(std::uintptr_t address);
DeviceBlock *find_device_block(CUdeviceptr address);

/// Whether a context sees a block: its own, or a portable one.
bool is_visible(const HostBlock &block, const Context *context);

/// Memory of the current context's device, in the table; an error, or success.
CUresult make_block(std::size_t bytes, bool for_host, DeviceBlock block, CUdeviceptr *address);
void free_block(const DeviceBlock &block);

/// What was made in a context goes with it. A lost one keeps what was allocated, and no longer locks it.
void drop_memory(const Context &context);
void unlock_memory(const Context &context);

constexpr std::size_t page_bytes = 4096;

} // namespace fakes::cuda
