// SPDX-License-Identifier: Apache-2.0
// What the public interface cannot reach: memory that runs out on the threads that make page-locked memory.
#include "gpu/support.hpp"
#include "pools/pinned/cache.hpp"
#include "support/limited_memory.hpp"

using namespace nearpool_gpu;
namespace pinned = nearpool::pinned;
namespace device = nearpool::device;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

// The running kernel, but that the threads which are started here have memory for so many allocations, and again for so
// many each time that they have waited.
class LimitedThreads final : public nearpool::ThreadPort, public nearpool::FutexPort {
public:
    void allow(uint64_t count) { enough_.store(count); }
    nearpool::Ports ports() {
        const nearpool::Ports &real = nearpool::real_ports();
        return {real.memory, real.policy, real.affinity, *this, real.files, *this, real.libraries};
    }

    int start(pthread_t *thread, void *(*run)(void *), void *argument) override {
        auto start = std::make_unique<Start>(Start{this, run, argument});
        const int error = real().threads.start(thread, begin, start.get());
        if (error == 0) {
            static_cast<void>(start.release());
        }
        return error;
    }
    int set_name(const std::string &name) override { return real().threads.set_name(name); }
    int join(pthread_t thread) override { return real().threads.join(thread); }
    int detach(pthread_t thread) override { return real().threads.detach(thread); }

    int wait(std::atomic<uint32_t> *word, uint32_t expected, uint64_t deadline_ns) override {
        const int result = real().futex.wait(word, expected, deadline_ns);
        if (of_this_thread == this) {
            nearpool_test::limit_allocations(enough_.load());
        }
        return result;
    }
    int wake(std::atomic<uint32_t> *word, int count) override { return real().futex.wake(word, count); }

private:
    struct Start {
        LimitedThreads *self;
        void *(*run)(void *);
        void *argument;
    };
    static const nearpool::Ports &real() { return nearpool::real_ports(); }
    static void *begin(void *argument) {
        const std::unique_ptr<Start> start(static_cast<Start *>(argument));
        of_this_thread = start->self;
        nearpool_test::limit_allocations(start->self->enough_.load());
        return start->run(start->argument);
    }

    static thread_local LimitedThreads *of_this_thread;
    std::atomic<uint64_t> enough_{UINT64_MAX};
};

thread_local LimitedThreads *LimitedThreads::of_this_thread = nullptr;

class PinnedOutOfMemoryInside : public FakeGpu {
protected:
    static nearpool::Ref<device::Pool> make_devices() {
        static nearpool::cuda::Loader loader(nearpool::real_ports());
        auto machine = nearpool::Topology::discover(nearpool::real_ports()).take();
        return device::Pool::create(loader, std::move(machine), device::Options()).take();
    }
};

pinned::Wish wish_for(uint32_t methods) {
    near_pinned_options options{};
    options.struct_size = sizeof options;
    options.methods = methods;
    return pinned::wish_of(64U << 10U, &options).take();
}

// Asks with memory for no allocation, then for one, until that is enough. How often it was not.
uint64_t ask_until_memory_suffices(pinned::Cache &cache, LimitedThreads &limited, uint32_t methods) {
    for (uint64_t enough = 0; enough < 10000; enough++) {
        limited.allow(enough);
        const auto block = cache.allocate(0, wish_for(methods));
        if (block) {
            limited.allow(UINT64_MAX);
            cache.give(block.value());
            return enough;
        }
        EXPECT_EQ(block.error().status, NEAR_E_NOMEM) << block.error().message << " with memory for " << enough;
    }
    ADD_FAILURE() << "there is never enough memory";
    return 0;
}

// What was ordered and did not come must not count against the limit: else nothing would be kept in the end.
void expect_all_is_kept(pinned::Cache &cache) {
    const near_pinned_stats stats = cache.stats(NEAR_NODE_UNKNOWN);
    EXPECT_EQ(stats.live_count, 0U);
    EXPECT_EQ(stats.held_bytes, stats.idle_bytes);
    EXPECT_GT(stats.idle_bytes, 0U);
    EXPECT_EQ(cache.trim(NEAR_NODE_UNKNOWN, 0), stats.idle_bytes);
}

constexpr uint32_t each_way[] = {0, 1U << NEAR_PINNED_TOUCHED, 1U << NEAR_PINNED_DRIVER};

TEST_F(PinnedOutOfMemoryInside, TheThreadThatMakesItSaysSo) {
    for (const uint32_t methods : each_way) {
        LimitedThreads limited;
        const nearpool::Ports ports = limited.ports();
        nearpool::Crew crew(nearpool::real_ports());
        const auto cache = pinned::Cache::create(ports, crew, make_devices(), 3 * mib).take();
        EXPECT_GT(ask_until_memory_suffices(*cache, limited, methods), 0U);
        expect_all_is_kept(*cache);
        cache->close();
    }
}

TEST_F(PinnedOutOfMemoryInside, SoDoTheThreadsOfTheNode) {
    for (const uint32_t methods : each_way) {
        LimitedThreads limited;
        const nearpool::Ports ports = limited.ports();
        nearpool::Crew crew(ports);
        const auto cache = pinned::Cache::create(nearpool::real_ports(), crew, make_devices(), 3 * mib).take();
        const uint64_t failures = ask_until_memory_suffices(*cache, limited, methods);
        if (methods != 1U << NEAR_PINNED_DRIVER) { // the driver takes its own
            EXPECT_GT(failures, 0U) << "registering takes some";
        }
        expect_all_is_kept(*cache);
        cache->close();
    }
}

} // namespace
