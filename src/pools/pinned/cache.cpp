// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/cache.hpp"

#include "base/log.hpp"
#include "cuda/current.hpp"
#include "pools/pinned/ladder.hpp"

#include <algorithm>

namespace nearpool::pinned {
namespace {

using namespace cuda;

// Half of the node's memory, or, where it has none, of all to which memory goes by default.
uint64_t usual_limit(const Topology &topology, const Node &node) {
    uint64_t bytes = node.memory_bytes;
    for (const Node &other : topology.nodes()) {
        bytes += node.memory_bytes == 0 && other.memory_by_default ? other.memory_bytes : 0;
    }
    return bytes == 0 ? NEAR_NONE : bytes / 2; // what is not known is no limit
}

Result<bool> attribute(const device::Device &device, CUdevice_attribute which) {
    int value = 0;
    const CUresult code = device.driver().device_get_attribute(&value, which, device.facts().handle);
    return code == cuda_success ? Result<bool>(value != 0) : device.driver().error(code, "cuDeviceGetAttribute");
}

Result<Gpu> look_at_device(device::Device &device) {
    const Result<bool> one_pointer = attribute(device, attribute_can_use_host_pointer_for_registered_mem);
    const Result<bool> registers = attribute(device, attribute_host_register_supported);
    const Result<bool> by_host_tables = attribute(device, attribute_pageable_memory_access_uses_host_page_tables);
    for (const Result<bool> *answer : {&one_pointer, &registers, &by_host_tables}) {
        if (!*answer) {
            return answer->error();
        }
    }
    const uint32_t node = device.node().attached;
    return Gpu{
        &device, node, node != NEAR_NODE_UNKNOWN, one_pointer.value(), registers.value(), !by_host_tables.value()};
}

// The caller's, or any.
uint32_t some_node(const Ports &ports, const Topology &topology) {
    uint32_t cpu = 0;
    uint32_t node = 0;
    const bool known = ports.affinity.current(&cpu, &node) == 0 && topology.node(node) != nullptr;
    return known ? node : topology.nodes().front().number;
}

// While the memory of an order is made.
class Ordered {
public:
    Ordered(Stock &stock, const Order &order) : stock_(stock), order_(order), start_(now_ns()) {}
    ~Ordered() {
        if (open_) {
            stock_.forget(order_, now_ns() - start_);
        }
    }
    Ordered(const Ordered &) = delete;
    Ordered &operator=(const Ordered &) = delete;

    // It is there: Stock::add() comes next. How long it took.
    uint64_t filled() {
        open_ = false;
        return now_ns() - start_;
    }

private:
    Stock &stock_;
    const Order order_;
    const uint64_t start_;
    bool open_ = true;
};

} // namespace

Cache::Cache(const Ports &ports, Crew &crew, Ref<device::Pool> devices)
    : ports_(ports), crew_(crew), devices_(std::move(devices)),
      service_(ports, [this](Request &request) { return make(request); }) {}

Result<Ref<Cache>> Cache::create(const Ports &ports, Crew &crew, Ref<device::Pool> devices, uint64_t limit_bytes) {
    Ref<Cache> cache = Ref<Cache>::adopt(new Cache(ports, crew, std::move(devices)));
    const Topology &topology = cache->devices_->topology();
    for (const Node &node : topology.nodes()) {
        const bool given = limit_bytes != 0;
        const Stock::Limit limit{given ? limit_bytes : usual_limit(topology, node), given};
        cache->stocks_.push_back(std::make_unique<Stock>(*cache, node.number, limit));
    }
    for (const auto &device : cache->devices_->devices()) {
        Result<Gpu> gpu = look_at_device(*device);
        if (!gpu) {
            return gpu.error();
        }
        cache->gpus_.push_back(gpu.take());
    }
    return cache;
}

Result<Gpu> Cache::gpu_of(int32_t ordinal) const {
    for (const Gpu &known : gpus_) {
        if (known.device->facts().ordinal == ordinal) {
            Gpu gpu = known;
            gpu.node = gpu.node_known ? gpu.node : some_node(ports_, devices_->topology());
            return gpu;
        }
    }
    return devices_->no_device(ordinal);
}

Stock *Cache::stock_of(uint32_t node) const {
    const auto found = std::lower_bound(stocks_.begin(), stocks_.end(), node,
                                        [](const auto &stock, uint32_t wanted) { return stock->node() < wanted; });
    return found != stocks_.end() && (*found)->node() == node ? found->get() : nullptr;
}

// A block keeps its cache.
Block *Cache::lend(Block *block) {
    retain();
    return block;
}

Result<Block *> Cache::allocate(int32_t ordinal, const Wish &wish) {
    const Result<Gpu> gpu = gpu_of(ordinal);
    if (!gpu) {
        return gpu.error();
    }
    if (Block *idle = stock_of(gpu.value().node)->take(wish, gpu.value()); idle != nullptr) {
        return lend(idle);
    }
    const Result<Ref<Request>> asked = ask_for(gpu.value(), wish);
    return asked ? asked.value()->wait(NEAR_FOREVER) : asked.error();
}

Result<Ref<Request>> Cache::request(int32_t ordinal, const Wish &wish) {
    const Result<Gpu> gpu = gpu_of(ordinal);
    if (!gpu) {
        return gpu.error();
    }
    Stock &stock = *stock_of(gpu.value().node);
    Ref<Request> request = new_request(gpu.value(), wish);
    if (Block *idle = stock.take(wish, gpu.value()); idle != nullptr) {
        request->settle(lend(idle));
        return request;
    }
    return ask_for(gpu.value(), wish);
}

Ref<Request> Cache::new_request(const Gpu &gpu, const Wish &wish) {
    return Ref<Request>::adopt(
        new Request(Ref<const RefCounted>::share(this), ports_.futex, *stock_of(gpu.node), gpu, wish));
}

Result<Ref<Request>> Cache::ask_for(const Gpu &gpu, const Wish &wish) {
    if (wish.strict && !gpu.node_known) {
        return fail(NEAR_E_STRICT, "the node of device %d is not known", gpu.device->facts().ordinal);
    }
    Ref<Request> request = new_request(gpu, wish);
    Done added = service_.add(request);
    return added ? Result<Ref<Request>>(std::move(request)) : added.error();
}

Result<Maker> Cache::maker(const Gpu &gpu) {
    const Result<CUcontext> context = gpu.device->context();
    if (!context) {
        return context.error();
    }
    return Maker{ports_, crew_,           Ref<const Topology>::share(&devices_->topology()),
                 gpu,    context.value(), [this](uint32_t node) { return trim(node, 0) != 0; }};
}

// Strict memory with room to spare may not be had where what was asked for can.
Result<std::unique_ptr<Memory>> Cache::make_memory_for(const Request &request, const Order &order, Steps &steps) {
    const Result<Maker> maker = this->maker(request.gpu);
    if (!maker) {
        return maker.error();
    }
    Wish wish = request.wish;
    wish.bytes = order.bytes;
    Result<std::unique_ptr<Memory>> memory = make_memory(maker.value(), wish, steps);
    const bool less_will_do = !memory && order.bytes > order.least_bytes && steps.wanted() &&
                              (memory.error().status == NEAR_E_STRICT || memory.error().status == NEAR_E_NOMEM ||
                               memory.error().status == NEAR_E_UNSUPPORTED ||
                               (memory.error().status == NEAR_E_CUDA && !is_lost(memory.error().code)));
    if (less_will_do) {
        wish.bytes = order.least_bytes;
        return make_memory(maker.value(), wish, steps);
    }
    return memory;
}

// On a thread of the service.
Result<Block *> Cache::make(Request &request) {
    Stock &stock = request.stock;
    if (Block *idle = stock.take(request.wish, request.gpu); idle != nullptr) { // meanwhile
        return lend(idle);
    }
    const Result<Order> order = stock.order(request.wish);
    if (!order) {
        return order.error();
    }
    Ordered ordered(stock, order.value());
    Result<std::unique_ptr<Memory>> memory = make_memory_for(request, order.value(), request.steps);
    if (!memory) {
        return request.steps.wanted() ? memory.error() : request.unwanted();
    }
    const Memory &made = *memory.value();
    log(NEAR_LOG_DEBUG, "device %d: %zu page-locked bytes at %p near node %u: %s, %zu of %zu pages near",
        request.gpu.device->facts().ordinal, made.range().bytes, static_cast<void *>(made.range().data), made.node(),
        method_name(made.method()), made.census().near, made.census().looked);
    Block *block = stock.add(memory.take(), order.value(), request.wish, ordered.filled());
    return block != nullptr
               ? Result<Block *>(lend(block))
               : fail(NEAR_E_CUDA, "the driver's memory is not aligned to %zu bytes", request.wish.alignment);
}

Result<Block *> Cache::adopt(int32_t ordinal, char *data, const Wish &wish) {
    const Result<Gpu> gpu = gpu_of(ordinal);
    if (!gpu) {
        return gpu.error();
    }
    const Result<Maker> maker = this->maker(gpu.value());
    if (!maker) {
        return maker.error();
    }
    const uint64_t start = now_ns();
    Steps steps(UINT64_MAX);
    Result<std::unique_ptr<Memory>> memory = pinned::adopt(maker.value(), data, wish, steps);
    if (!memory) {
        return memory.error();
    }
    if (wish.strict && !memory.value()->proven()) {
        return fail(NEAR_E_STRICT, "%s",
                    memory.value()->verdict(devices_->topology(), memory.value()->census()).text.c_str());
    }
    Block *block = stock_of(gpu.value().node)->add_adopted(memory.take(), wish, now_ns() - start);
    return block != nullptr ? Result<Block *>(lend(block)) : fail(NEAR_E_SHUTDOWN, "the pool is being destroyed");
}

Done Cache::use(Block *block, stream::Pool &streams, uint64_t id) {
    if (block->memory->method() == NEAR_PINNED_ADOPTED) {
        return fail(NEAR_E_UNSUPPORTED, "adopted memory is the caller's: wait for the stream, then free it");
    }
    Result<stream::Mark> mark = streams.mark(id);
    if (!mark) {
        return mark.error();
    }
    block->memory->lot->stock.use(block, mark.take());
    return {};
}

// Nobody comes by a closed cache to ask for the streams, so it waits for them.
void Cache::give(Block *block) noexcept {
    Stock &stock = block->memory->lot->stock;
    stock.give(block);
    if (closed_.load(std::memory_order_acquire)) {
        stock.close(ports_.futex);
    }
    release();
}

std::size_t Cache::trim(uint32_t node, std::size_t keep_bytes) noexcept {
    std::size_t freed = 0;
    for (const auto &stock : stocks_) {
        freed += node == NEAR_NODE_UNKNOWN || node == stock->node() ? stock->trim(keep_bytes) : 0;
    }
    return freed;
}

near_pinned_stats Cache::stats(uint32_t node) noexcept {
    near_pinned_stats sum{};
    for (const auto &stock : stocks_) {
        if (node == NEAR_NODE_UNKNOWN || node == stock->node()) {
            add(stock->stats(), &sum);
        }
    }
    return sum;
}

void Cache::close() noexcept {
    closed_.store(true, std::memory_order_release);
    service_.stop();
    for (const auto &stock : stocks_) {
        stock->close(ports_.futex);
    }
}

Result<uint64_t> device_pointer(const Gpu &gpu, const Memory &memory, char *data) {
    if (gpu.one_pointer || memory.only_its_device()) { // which is mapped at an address of the device's
        return reinterpret_cast<uint64_t>(data);
    }
    const Result<CUcontext> context = gpu.device->context();
    if (!context) {
        return context.error();
    }
    const Driver &driver = gpu.device->driver();
    const Current current(driver, context.value());
    if (Done ok = current.entered(); !ok) {
        return ok.error();
    }
    CUdeviceptr pointer = 0;
    if (const CUresult code = driver.mem_host_get_device_pointer(&pointer, data, 0); code != cuda_success) {
        return driver.error(code, "cuMemHostGetDevicePointer");
    }
    return pointer != 0 ? Result<uint64_t>(pointer)
                        : fail(NEAR_E_CUDA, "cuMemHostGetDevicePointer succeeded and gave no address");
}

Cache &cache_of(const Block &block) {
    return block.memory->lot->stock.cache();
}

} // namespace nearpool::pinned
