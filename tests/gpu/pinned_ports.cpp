// SPDX-License-Identifier: Apache-2.0
// Page-locked memory where the kernel refuses: each call to the outside fails once, or always. The nodes are made up,
// the driver is the fake one.
#include "gpu/pinned_support.hpp"
#include "pools/pinned/cache.hpp"
#include "unit/machine/support.hpp"
#include "unit/memory/support.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace nearpool_gpu;
namespace device = nearpool::device;
namespace pinned = nearpool::pinned;
using nearpool::Ref;
using nearpool::Result;
using nearpool::fakes::Call;
using nearpool::fakes::Held;
using nearpool::test::four_nodes;
using nearpool::test::World;

namespace {

constexpr std::size_t bytes = 256 * kib;

pinned::Wish wish(uint32_t methods = 0, uint32_t flags = 0, bool strict = false) {
    near_pinned_options options = pinned_options(methods, flags);
    options.strict = strict ? 1 : 0;
    options.pages = NEAR_PAGES_BASE;
    options.timeout_ns = nearpool_test::long_enough_ns;
    return pinned::wish_of(bytes, &options).take();
}

// A cache over ports that fail, its GPUs next to nodes 0 and 1. It ends as a cache does, and knows what it left.
class Site {
public:
    Site(const Ref<const nearpool::Topology> &topology, const Ref<device::Pool> &devices)
        : world(four_nodes(), topology), before_(world.ports.held()), driver_before_(fake()->held()),
          cache(pinned::Cache::create(world.ports.ports(), *world.crew, devices, 0).take()) {}
    ~Site() {
        free_all();
        cache->close();
        cache = Ref<pinned::Cache>();
        EXPECT_EQ(fake()->held(), driver_before_);
        world.crew.reset();
        EXPECT_EQ(world.ports.held(), before_);
    }
    Site(const Site &) = delete;
    Site &operator=(const Site &) = delete;

    // A block, or an error with a sentence and one of the codes that the header lists.
    pinned::Block *allocate(const pinned::Wish &asked, int32_t ordinal = 0) {
        const Result<pinned::Block *> block = cache->allocate(ordinal, asked);
        if (!block) {
            const near_status status = block.error().status;
            EXPECT_TRUE(status == NEAR_E_NOMEM || status == NEAR_E_SYSTEM || status == NEAR_E_UNSUPPORTED ||
                        (status == NEAR_E_STRICT && asked.strict))
                << near_status_name(status) << ": " << block.error().message;
            EXPECT_NE(block.error().message, "") << near_status_name(status);
            error = block.error();
            return nullptr;
        }
        std::memset(block.value()->data, 1, bytes);
        expect_true_report(*block.value());
        blocks_.push_back(block.value());
        return block.value();
    }

    near_placement placement(const pinned::Block &block) const {
        const nearpool::Site site = cache->site();
        const nearpool::Census census = block.memory->look(site, block.data, bytes);
        return block.memory->describe(site.topology, census, block.data, bytes);
    }

    void free_all() {
        for (pinned::Block *block : blocks_) {
            cache->give(block);
        }
        blocks_.clear();
    }

    void trim() {
        free_all();
        cache->trim(NEAR_NODE_UNKNOWN, 0);
        EXPECT_EQ(cache->stats(NEAR_NODE_UNKNOWN).held_bytes, 0U);
        EXPECT_EQ(fake()->held(), driver_before_);
        EXPECT_EQ(world.ports.held().mapped_bytes, before_.mapped_bytes);
        EXPECT_EQ(world.ports.held().descriptors, before_.descriptors);
    }

    World world;

private:
    // No more is near than is there; what was not seen is not claimed.
    void expect_true_report(const pinned::Block &block) {
        std::size_t near = 0;
        for (std::size_t offset = 0; offset < bytes; offset += nearpool::base_page_bytes()) {
            near += world.machine.node_of(block.data + offset) == static_cast<int>(block.memory->node()) ? 1 : 0;
        }
        const near_placement report = placement(block);
        EXPECT_TRUE(report.near_pages == near || report.present_pages < report.page_count) << report.reason;
        EXPECT_LE(report.near_pages, near) << report.reason;
        EXPECT_TRUE(report.level != NEAR_LEVEL_STRICT || near == report.page_count) << report.reason;
    }

    const Held before_;
    const std::string driver_before_; // contexts
    std::vector<pinned::Block *> blocks_;

public:
    Ref<pinned::Cache> cache;
    nearpool::Error error{NEAR_OK, NEAR_DOMAIN_NONE, 0, {}};
};

class PinnedPortsScript : public FakeGpu {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (IsSkipped()) {
            return;
        }
        configure(R"({"devices":[{"host_numa_id":0},{"host_numa_id":1}],"host_nodes":[0]})");
        const World first;
        topology_ = first.topology;
        static nearpool::cuda::Loader loader(nearpool::real_ports());
        devices_ = device::Pool::create(loader, topology_, device::Options()).take();
        for (const auto &each : devices_->devices()) {
            ASSERT_TRUE(each->context());
            ASSERT_EQ(each->node().attached, static_cast<uint32_t>(each->facts().ordinal));
        }
    }
    void TearDown() override {
        devices_ = Ref<device::Pool>();
        FakeGpu::TearDown();
    }

    Ref<const nearpool::Topology> topology_;
    Ref<device::Pool> devices_;
};

struct Step {
    const char *name;
    uint32_t methods;
    uint32_t flags;
    bool strict;
};

std::vector<Step> steps() {
    return {
        {"any", 0, 0, false},
        {"strict", 0, NEAR_PINNED_NO_CACHE, true},
        {"on a node", only(NEAR_PINNED_DRIVER_NODE), NEAR_PINNED_NO_CACHE, false},
        {"touched", only(NEAR_PINNED_TOUCHED), NEAR_PINNED_NO_CACHE | NEAR_PINNED_FORK, false},
        {"driver", only(NEAR_PINNED_DRIVER), NEAR_PINNED_NO_CACHE, false},
        {"shared", 0, NEAR_PINNED_SHARED, false},
    };
}

// Memory by each way, all at once; then what is idle is used, and goes.
void use(Site *site, const std::vector<Step> &wanted) {
    for (const Step &step : wanted) {
        SCOPED_TRACE(step.name);
        site->allocate(wish(step.methods, step.flags, step.strict));
    }
    site->free_all();
    for (const Step &step : wanted) {
        SCOPED_TRACE(step.name);
        site->allocate(wish(step.methods, step.flags, step.strict));
    }
    site->trim();
}

// Those that the host's kernel and the fake driver can do when nothing fails.
std::vector<Step> possible(Site *site) {
    std::vector<Step> result;
    for (const Step &step : steps()) {
        if (site->allocate(wish(step.methods, step.flags, step.strict)) != nullptr) {
            result.push_back(step);
        }
    }
    site->trim();
    EXPECT_GE(result.size(), steps().size() - 1) << "only memory on a node may be forbidden here";
    return result;
}

class PinnedPortsEachStepScript : public PinnedPortsScript, public testing::WithParamInterface<int> {};

TEST_P(PinnedPortsEachStepScript, FailsOnceAndNothingIsLeftAndTheNextTryWorks) {
    std::vector<Step> wanted;
    {
        Site site(topology_, devices_);
        wanted = possible(&site);
    }
    uint64_t failed = 0;
    for (uint64_t n = 1; n < 2000; n++) {
        SCOPED_TRACE("step " + std::to_string(n));
        Site site(topology_, devices_);
        site.world.ports.fail_step(n, GetParam());
        use(&site, wanted);
        const bool delivered = site.world.ports.failures() != 0;
        site.world.ports.fail_nothing();
        for (const Step &step : wanted) {
            EXPECT_NE(site.allocate(wish(step.methods, step.flags, step.strict)), nullptr)
                << step.name << ": " << site.error.message;
        }
        if (!delivered || HasFailure()) {
            break;
        }
        failed = n;
    }
    EXPECT_GT(failed, 60U) << "hardly any call failed, so nothing was proven";
}

INSTANTIATE_TEST_SUITE_P(Errors, PinnedPortsEachStepScript, testing::Values(ENOMEM, EPERM, EINVAL, EAGAIN));

TEST_F(PinnedPortsScript, AThreadThatCannotBeStartedIsASystemErrorAndTheNextTryWorks) {
    Site site(topology_, devices_);
    site.world.ports.fail_always(Call::threads_start, EAGAIN);
    EXPECT_EQ(site.allocate(wish()), nullptr);
    EXPECT_EQ(site.error.status, NEAR_E_SYSTEM);
    EXPECT_EQ(site.error.code, EAGAIN);
    EXPECT_NE(site.error.message.find("thread"), std::string::npos) << site.error.message;
    EXPECT_EQ(site.world.ports.held().threads, 0U);
    site.world.ports.fail_nothing();
    EXPECT_NE(site.allocate(wish()), nullptr) << site.error.message;
}

// The thread that page-locks is not on the node: what it faults in itself is reported where it is.
TEST_F(PinnedPortsScript, WithoutHelpersWhatIsBoundIsNearAndWhatIsTouchedSaysThatItIsNot) {
    Site site(topology_, devices_);
    EXPECT_NE(site.allocate(wish(only(NEAR_PINNED_PLACED)), 0), nullptr); // starts the thread, and helpers of node 0
    site.world.ports.fail_always(Call::threads_start, EAGAIN);
    const pinned::Block *placed = site.allocate(wish(only(NEAR_PINNED_PLACED)), 1);
    ASSERT_NE(placed, nullptr) << site.error.message;
    EXPECT_EQ(site.placement(*placed).level, NEAR_LEVEL_STRICT) << site.placement(*placed).reason;
    const pinned::Block *touched = site.allocate(wish(only(NEAR_PINNED_TOUCHED)), 1);
    ASSERT_NE(touched, nullptr) << site.error.message;
    EXPECT_EQ(site.placement(*touched).reason_code, NEAR_REASON_ELSEWHERE) << site.placement(*touched).reason;
    EXPECT_EQ(site.allocate(wish(only(NEAR_PINNED_TOUCHED), 0, true), 1), nullptr);
    EXPECT_EQ(site.error.status, NEAR_E_STRICT);
}

TEST_F(PinnedPortsScript, WaitsThatAreInterruptedAreWaitedForAgain) {
    for (const int error : {EINTR, EAGAIN}) {
        Site site(topology_, devices_);
        site.world.ports.fail_always(Call::futex_wait, error);
        for (const Step &step : steps()) {
            if (step.methods != only(NEAR_PINNED_DRIVER_NODE)) {
                EXPECT_NE(site.allocate(wish(step.methods, step.flags, step.strict)), nullptr) << site.error.message;
            }
        }
        EXPECT_GT(site.world.ports.failures(), 0U);
        site.world.ports.fail_nothing(); // those asleep
    }
}

TEST_F(PinnedPortsScript, MbindThatIsRefusedAnyTimeLeavesMemoryNearAndLocked) {
    uint64_t refused = 0;
    for (uint64_t n = 1;; n++) {
        SCOPED_TRACE("mbind " + std::to_string(n));
        Site site(topology_, devices_);
        site.world.ports.fail_nth(Call::policy_bind, n, EPERM);
        const pinned::Block *block = site.allocate(wish(), 1);
        ASSERT_NE(block, nullptr) << site.error.message;
        EXPECT_EQ(site.placement(*block).level, NEAR_LEVEL_STRICT) << site.placement(*block).reason;
        if (site.world.ports.failures() == 0) {
            break;
        }
        refused++;
    }
    EXPECT_GE(refused, 3U) << "the probe, the gentle form and the firm one";
}

TEST_F(PinnedPortsScript, MbindThatIsAlwaysRefusedIsAReasonAndPagesAreTouchedOnTheNode) {
    for (const int error : {EPERM, ENOSYS, EINVAL}) {
        Site site(topology_, devices_);
        site.world.ports.fail_always(Call::policy_bind, error);
        for (const bool strict : {false, true}) {
            const pinned::Block *block = site.allocate(wish(0, NEAR_PINNED_NO_CACHE, strict), 1);
            ASSERT_NE(block, nullptr) << site.error.message;
            EXPECT_EQ(block->memory->method(), NEAR_PINNED_TOUCHED);
            EXPECT_EQ(site.placement(*block).near_pages, site.placement(*block).page_count);
            const pinned::Missed &missed = block->memory->missed().front();
            EXPECT_EQ(missed.method, NEAR_PINNED_PLACED);
            EXPECT_NE(missed.text.find("mbind"), std::string::npos) << missed.text;
            EXPECT_EQ(missed.reason == NEAR_REASON_FORBIDDEN, error != EINVAL) << near_reason_name(missed.reason);
        }
    }
}

TEST_F(PinnedPortsScript, WhereNobodyMayLookPageByPageTheSumsProveAndWithoutThemNothingIsClaimed) {
    {
        Site site(topology_, devices_);
        site.world.forbid_looking();
        const pinned::Block *block = site.allocate(wish(only(NEAR_PINNED_PLACED), 0, true), 1);
        ASSERT_NE(block, nullptr) << site.error.message;
        EXPECT_EQ(site.placement(*block).level, NEAR_LEVEL_STRICT) << site.placement(*block).reason;
    }
    Site site(topology_, devices_);
    site.world.forbid_looking();
    site.world.machine.files().refuse("/proc/self/numa_maps", EACCES);
    const pinned::Block *block = site.allocate(wish(), 1);
    ASSERT_NE(block, nullptr) << site.error.message;
    EXPECT_EQ(block->memory->method(), NEAR_PINNED_PLACED);
    EXPECT_EQ(site.placement(*block).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(site.placement(*block).reason_code, NEAR_REASON_CANNOT_LOOK) << site.placement(*block).reason;
    EXPECT_EQ(site.allocate(wish(0, 0, true), 1), nullptr);
    EXPECT_EQ(site.error.status, NEAR_E_STRICT) << site.error.message;
    site.trim();
}

TEST_F(PinnedPortsScript, MemoryThatCannotBeKeptFromChildrenIsNotHandedOut) {
    Site site(topology_, devices_);
    site.world.ports.fail_nth(Call::memory_advise, 1, EINVAL);
    EXPECT_EQ(site.allocate(wish()), nullptr);
    EXPECT_EQ(site.error.status, NEAR_E_SYSTEM);
    EXPECT_NE(site.error.message.find("DONTFORK"), std::string::npos) << site.error.message;
    site.trim();
    EXPECT_NE(site.allocate(wish()), nullptr) << site.error.message;
}

TEST_F(PinnedPortsScript, WithoutMemfdThereIsNoSharedMemory) {
    for (const int error : {EPERM, ENOSYS, EMFILE}) {
        Site site(topology_, devices_);
        site.world.ports.fail_always(Call::memory_create_memfd, error);
        EXPECT_EQ(site.allocate(wish(0, NEAR_PINNED_SHARED)), nullptr);
        EXPECT_EQ(site.error.code, error) << site.error.message;
        site.trim();
        EXPECT_NE(site.allocate(wish()), nullptr) << site.error.message;
    }
}

TEST_F(PinnedPortsScript, ANodeWithoutRoomSpillsAndIsStrictlyRefused) {
    Site site(topology_, devices_);
    EXPECT_NE(site.allocate(wish(), 1), nullptr); // starts what must be started
    site.trim();
    const std::size_t pages = bytes / nearpool::base_page_bytes();
    site.world.machine.nodes().set_room(1, pages / 4);
    const pinned::Block *block = site.allocate(wish(0, NEAR_PINNED_NO_CACHE), 1);
    ASSERT_NE(block, nullptr) << site.error.message;
    EXPECT_EQ(site.placement(*block).near_pages, pages / 4);
    EXPECT_EQ(site.placement(*block).reason_code, NEAR_REASON_ELSEWHERE);
    site.trim();
    EXPECT_EQ(site.allocate(wish(0, 0, true), 1), nullptr);
    EXPECT_EQ(site.error.status, NEAR_E_STRICT) << site.error.message;
    site.trim();
    EXPECT_EQ(site.world.machine.nodes().room(1), pages / 4) << "pages of the node were kept";
    EXPECT_EQ(site.world.machine.nodes().kills(), 0U);
}

// All pages are seen on the node; of the machine others are hidden, so that its number may be another's.
TEST_F(PinnedPortsScript, WhereNodesAreHiddenNothingIsStrict) {
    Site site(topology_, devices_);
    const pinned::Block *block = site.allocate(wish());
    ASSERT_NE(block, nullptr) << site.error.message;
    ASSERT_EQ(site.placement(*block).level, NEAR_LEVEL_STRICT) << site.placement(*block).reason;
    nearpool::testing::MadeUpMachine hiding(nearpool::testing::MadeUpMachine::with_hidden_nodes());
    const nearpool::Census census = block->memory->look(site.cache->site(), block->data, bytes);
    const near_placement report = block->memory->describe(hiding.topology(), census, block->data, bytes);
    EXPECT_EQ(report.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_NE(std::string(report.reason).find("Mems_allowed"), std::string::npos) << report.reason;
}

} // namespace
