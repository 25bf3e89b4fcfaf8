// SPDX-License-Identifier: Apache-2.0
// Memory that the driver allocates itself.
#include "pools/pinned/ways.hpp"

#include "base/checked.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cuda/current.hpp"
#include "sys/constants.hpp"

#include <cerrno>

namespace nearpool::pinned {
namespace {

using namespace cuda;

void warn(const device::Device &device, const char *call, CUresult code) {
    if (code != cuda_success && code != cuda_error_deinitialized && code != cuda_error_context_is_destroyed) {
        log(NEAR_LOG_WARN, "device %d: memory is not given back: %s: %s", device.facts().ordinal, call,
            device.driver().name_of(code));
    }
}

std::size_t whole_pages(std::size_t bytes) {
    return checked_round_up(bytes, base_page_bytes()).value_or(bytes);
}

// Of cuMemHostAlloc(). What the driver refuses to free is not freed twice: it may be another's by then.
class HostMemory final : public Memory {
public:
    HostMemory(const Maker &maker, std::size_t bytes) : Memory(maker.gpu, NEAR_PINNED_DRIVER), context_(maker.context) {
        range_ = Range{nullptr, whole_pages(bytes), base_page_bytes()};
    }
    ~HostMemory() override {
        if (range_.data != nullptr) {
            const Driver &driver = gpu().device->driver();
            give_back_in(driver, context_,
                         [&] { warn(*gpu().device, "cuMemFreeHost", driver.mem_free_host(range_.data)); });
        }
    }

    Done allocate() {
        const Driver &driver = gpu().device->driver();
        const Current current(driver, context_);
        if (Done ok = current.entered(); !ok) {
            return ok;
        }
        void *data = nullptr;
        const CUresult code = driver.mem_host_alloc(&data, range_.bytes, host_alloc_portable | host_alloc_device_map);
        if (code != cuda_success) {
            return driver.error(code, "cuMemHostAlloc");
        }
        if (data == nullptr) {
            return fail(NEAR_E_CUDA, "cuMemHostAlloc succeeded and gave no memory");
        }
        range_.data = static_cast<char *>(data);
        return {};
    }

private:
    CUcontext context_;
};

// Of cuMemCreate(): a handle, an address and their mapping, given back in the opposite order.
class NodeMemory final : public Memory {
public:
    explicit NodeMemory(const Maker &maker)
        : Memory(maker.gpu, NEAR_PINNED_DRIVER_NODE), context_(maker.context), memory_(maker.ports.memory) {}
    ~NodeMemory() override {
        give_back_in(driver(), context_, [this] { give_back(); });
    }
    bool only_its_device() const override { return true; }

    Done allocate(std::size_t bytes) {
        const Current current(driver(), context_);
        if (Done ok = current.entered(); !ok) {
            return ok;
        }
        range_ = Range{nullptr, bytes, base_page_bytes()};
        for (const auto step : {&NodeMemory::round, &NodeMemory::create, &NodeMemory::reserve, &NodeMemory::map}) {
            if (Done ok = (this->*step)(); !ok) {
                return ok;
            }
        }
        range_.data = reinterpret_cast<char *>(address_); // NOLINT(performance-no-int-to-ptr): the driver has numbers
        show_pages();
        return {};
    }

private:
    const device::Device &device() const { return *gpu().device; }
    const Driver &driver() const { return gpu().device->driver(); }
    void give_back() const {
        if (mapped_) {
            warn(device(), "cuMemUnmap", driver().mem_unmap(address_, range_.bytes));
        }
        if (has_handle_) {
            warn(device(), "cuMemRelease", driver().mem_release(handle_));
        }
        if (address_ != 0) {
            warn(device(), "cuMemAddressFree", driver().mem_address_free(address_, range_.bytes));
        }
    }
    CUmemAllocationProp properties() const {
        CUmemAllocationProp properties{};
        properties.type = allocation_pinned;
        properties.location = CUmemLocation{location_host_numa, static_cast<int>(node())};
        return properties;
    }
    Done check(CUresult code, const char *call) const {
        return code == cuda_success ? Done() : Done(driver().error(code, call));
    }

    Done round() {
        const CUmemAllocationProp properties = this->properties();
        std::size_t granularity = 0;
        const CUresult code = driver().mem_get_allocation_granularity(&granularity, &properties, granularity_minimum);
        if (code != cuda_success) {
            return driver().error(code, "cuMemGetAllocationGranularity");
        }
        if (granularity == 0) {
            return fail(NEAR_E_CUDA, "cuMemGetAllocationGranularity succeeded and gave no size");
        }
        const std::optional<std::size_t> bytes = checked_round_up(range_.bytes, granularity);
        if (!bytes) {
            return fail(NEAR_E_INVALID, "%zu bytes overflow when rounded up to %zu", range_.bytes, granularity);
        }
        range_.bytes = *bytes;
        return {};
    }
    Done create() {
        const CUmemAllocationProp properties = this->properties();
        const CUresult code = driver().mem_create(&handle_, range_.bytes, &properties, 0);
        if (code == cuda_success && handle_ == 0) {
            return fail(NEAR_E_CUDA, "cuMemCreate succeeded and gave no memory");
        }
        has_handle_ = code == cuda_success;
        return check(code, "cuMemCreate");
    }
    Done reserve() {
        const CUresult code = driver().mem_address_reserve(&address_, range_.bytes, 0, 0, 0);
        if (code == cuda_success && address_ == 0) {
            return fail(NEAR_E_CUDA, "cuMemAddressReserve succeeded and gave no address");
        }
        address_ = code == cuda_success ? address_ : 0;
        return check(code, "cuMemAddressReserve");
    }
    Done map() {
        CUresult code = driver().mem_map(address_, range_.bytes, 0, handle_, 0);
        mapped_ = code == cuda_success;
        if (!mapped_) {
            return driver().error(code, "cuMemMap");
        }
        for (const CUmemLocation place :
             {CUmemLocation{location_device, device().facts().handle}, properties().location}) {
            const CUmemAccessDesc access{place, access_read_write};
            code = driver().mem_set_access(address_, range_.bytes, &access, 1);
            if (code != cuda_success) {
                break;
            }
        }
        return check(code, "cuMemSetAccess");
    }

    // The pages are there, but nobody can look at them before this process has them in its page table. A kernel or a
    // driver that does not do it leaves them as they are, and the report says that it cannot tell.
    void show_pages() { static_cast<void>(memory_.advise(range_.data, range_.bytes, sys::advice_populate_write)); }

    CUcontext context_;
    MemoryPort &memory_;
    CUmemGenericAllocationHandle handle_ = 0;
    CUdeviceptr address_ = 0;
    bool has_handle_ = false;
    bool mapped_ = false;
};

// What was asked for and only memory that is mapped here can be; nullptr: nothing.
const char *not_the_drivers(const Wish &wish) {
    return wish.has(NEAR_PINNED_SHARED)    ? "the driver's own memory has no descriptor"
           : wish.has(NEAR_PINNED_NO_DUMP) ? "the driver's own memory may be in core dumps"
                                           : nullptr;
}

bool has_node_memory(const Driver &driver) {
    return driver.mem_get_allocation_granularity != nullptr && driver.mem_create != nullptr &&
           driver.mem_release != nullptr && driver.mem_address_reserve != nullptr &&
           driver.mem_address_free != nullptr && driver.mem_map != nullptr && driver.mem_unmap != nullptr &&
           driver.mem_set_access != nullptr;
}

} // namespace

Done Maker::on_node(const std::function<Done()> &work) const {
    Done done;
    const CrewOutcome outcome = crew.run(*topology, {gpu.node}, [&](std::size_t) {
        done = work();
        return 0;
    });
    return outcome.error == 0 ? done : Done(fail_system(-outcome.error, "page-locking memory"));
}

Attempt make_driver_node(const Maker &maker, const Wish &wish, Steps &steps) {
    if (const char *why = not_the_drivers(wish); why != nullptr) {
        return Attempt::missed(NEAR_REASON_DRIVER, why);
    }
    if (!maker.gpu.node_known) {
        return Attempt::missed(NEAR_REASON_UNKNOWN_NODE, "the node of the device is not known");
    }
    if (!maker.topology->this_machine()) {
        return Attempt::missed(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine");
    }
    if (!has_node_memory(maker.driver())) {
        return Attempt::missed(NEAR_REASON_DRIVER, "this driver has no cuMemCreate");
    }
    auto memory = std::make_unique<NodeMemory>(maker);
    const Done done = maker.on_node([&] { return memory->allocate(wish.bytes); });
    if (!done) { // the driver does not say beforehand whether it can at all
        const Error &why = done.error();
        const bool cannot = why.status == NEAR_E_CUDA && !is_exhausted(why) && !is_lost(why.code);
        return cannot ? Attempt::missed(NEAR_REASON_DRIVER, why.message) : Attempt::refused(why);
    }
    steps.locked(memory->range().bytes);
    memory->settle(maker.site());
    return Attempt::made(std::move(memory));
}

Attempt make_driver(const Maker &maker, const Wish &wish, Steps &steps) {
    if (const char *why = not_the_drivers(wish); why != nullptr) {
        return Attempt::missed(NEAR_REASON_DRIVER, why);
    }
    // The driver may align what is small to less than a page. What is aligned to more than a page brings its room
    // along.
    const bool needs_room = wish.alignment > least_alignment && wish.alignment <= base_page_bytes();
    const std::size_t slack = needs_room ? wish.alignment : 0;
    auto memory = std::make_unique<HostMemory>(maker, wish.bytes + slack);
    if (const Done done = maker.on_node([&] { return memory->allocate(); }); !done) {
        return Attempt::refused(done.error());
    }
    steps.locked(memory->range().bytes);
    memory->settle(maker.site());
    return Attempt::made(std::move(memory));
}

} // namespace nearpool::pinned
