// SPDX-License-Identifier: Apache-2.0
// Whichever call of the driver fails, once: each call of ours says so or takes another way, works when it is made
// again, and leaves nothing mapped, locked or current.
#include "gpu/pinned_ways.hpp"

#include <fstream>
#include <functional>

using namespace nearpool_gpu;

namespace {

// How memory is made in a day, and by which driver.
struct Case {
    const char *name;
    uint32_t methods;
    uint32_t flags;
    const char *more; // of the driver's configuration
};

class PinnedFailuresScript : public FakeGpu, public testing::WithParamInterface<Case> {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (!IsSkipped()) {
            restart();
        }
    }
    static std::string config() { return near_node_0("", GetParam().more); }
    void TearDown() override {
        if (fake() != nullptr) {
            EXPECT_EQ(driver()->primary_ctx_release(0), cuda_success);
        }
        FakeGpu::TearDown();
    }
    // With a context that somebody else keeps: what is left in it would otherwise go with it, and not be missed.
    static void restart() {
        ASSERT_EQ(fake()->reset(config().c_str(), 1), nullptr);
        ASSERT_EQ(driver()->init(0), cuda_success);
        CUcontext context = nullptr;
        ASSERT_EQ(driver()->primary_ctx_retain(&context, 0), cuda_success);
    }
};

struct Step {
    const char *name;
    std::function<near_status(near_error *)> call;
};

// A day in the life of page-locked memory near device 0: every call that may reach the driver, whatever the ones before
// have answered.
class Day {
public:
    explicit Day(const Case &how) : how_(how) {
        EXPECT_EQ(device_pool_create(nullptr, &devices_, nullptr), NEAR_OK);
        const numa_pool_options options = nearpool_test::options_for(nullptr);
        EXPECT_EQ(numa_pool_create(&options, &workers_, nullptr), NEAR_OK);
    }
    Day(const Day &) = delete;
    Day &operator=(const Day &) = delete;
    ~Day() { end(); }

    std::vector<Step> steps() {
        return {
            {"stream_pool_create",
             [this](near_error *error) { return stream_pool_create(devices_, 0, nullptr, &streams_, error); }},
            {"stream_pool_acquire", [this](near_error *) { return stream_pool_acquire(streams_, &id_); }},
            {"alloc", [this](near_error *error) { return alloc(how_.flags, error); }},
            {"get_info", [this](near_error *error) { return info(error); }},
            {"used_on", [this](near_error *) { return near_pinned_used_on(pinned_, streams_, id_); }},
            {"used_on again", [this](near_error *) { return near_pinned_used_on(pinned_, streams_, id_); }},
            {"free_after", [this](near_error *) { return free_after(); }},
            {"synchronize",
             [this](near_error *error) { return stream_pool_synchronize(streams_, id_, NEAR_FOREVER, error); }},
            {"alloc again", [this](near_error *error) { return alloc(how_.flags, error); }},
            {"free", [this](near_error *) { return free(); }},
            {"trim", [this](near_error *error) { return trim(error); }},
            {"alloc after trim", [this](near_error *error) { return alloc(how_.flags, error); }},
            {"free to the cache", [this](near_error *) { return free(); }},
            {"alloc for once", [this](near_error *error) { return alloc(how_.flags | NEAR_PINNED_NO_CACHE, error); }},
            {"free what was for once", [this](near_error *) { return free(); }},
            {"request", [this](near_error *error) { return request(error); }},
            {"wait", [this](near_error *error) { return wait(error); }},
            {"numa_pool_destroy", [this](near_error *) { return end_workers(); }},
            {"stream_pool_destroy", [this](near_error *) { return end_streams(); }},
            {"free after the pool", [this](near_error *) { return free(); }},
            {"device_pool_destroy", [this](near_error *) { return end(); }},
        };
    }

private:
    near_pinned_options options(uint32_t flags) const {
        near_pinned_options options = pinned_options(how_.methods, flags);
        options.pages = NEAR_PAGES_BASE;
        options.chunk_bytes = std::string(how_.more).find("offset") != std::string::npos ? 0 : mib;
        return options;
    }
    near_status alloc(uint32_t flags, near_error *error) {
        const near_pinned_options how = options(flags);
        return numa_pool_alloc_pinned(workers_, devices_, 0, 2 * mib, &how, &pinned_, error);
    }
    near_status request(near_error *error) {
        const near_pinned_options how = options(how_.flags);
        return numa_pool_request_pinned(workers_, devices_, 0, 4 * mib, &how, &request_, error);
    }
    // A request that has failed is asked again.
    near_status wait(near_error *error) {
        const near_status status = near_pinned_request_wait(request_, NEAR_FOREVER, &pinned_, error);
        near_pinned_request_destroy(std::exchange(request_, nullptr));
        if (status != NEAR_OK) {
            EXPECT_EQ(request(nullptr), NEAR_OK);
        }
        return status;
    }
    near_status info(near_error *error) {
        near_pinned_info info{};
        info.struct_size = sizeof info;
        return near_pinned_get_info(pinned_, &info, error);
    }
    near_status free_after() {
        const near_status status = near_pinned_free_after(pinned_, streams_, id_);
        pinned_ = status == NEAR_OK ? nullptr : pinned_;
        return status;
    }
    near_status free() {
        near_pinned_free(std::exchange(pinned_, nullptr));
        return NEAR_OK;
    }
    near_status trim(near_error *error) {
        return numa_pool_trim_pinned(workers_, devices_, NEAR_NODE_UNKNOWN, 0, nullptr, error);
    }
    near_status end_workers() {
        numa_pool_destroy(std::exchange(workers_, nullptr));
        return NEAR_OK;
    }
    near_status end_streams() {
        stream_pool_destroy(std::exchange(streams_, nullptr));
        return NEAR_OK;
    }
    near_status end() {
        near_pinned_request_destroy(std::exchange(request_, nullptr));
        free();
        end_streams();
        end_workers();
        device_pool_destroy(std::exchange(devices_, nullptr));
        return NEAR_OK;
    }

    const Case how_;
    numa_pool *workers_ = nullptr;
    device_pool *devices_ = nullptr;
    stream_pool *streams_ = nullptr;
    near_pinned *pinned_ = nullptr;
    near_pinned_request *request_ = nullptr;
    uint64_t id_ = STREAM_POOL_DEFAULT;
};

// Bytes of this process's mappings that are kept from children, or have a memfd behind them: of ours are all.
std::size_t mapped_bytes() {
    std::ifstream maps("/proc/self/smaps");
    std::size_t sum = 0;
    std::size_t size = 0;
    bool memfd = false;
    for (std::string line; std::getline(maps, line);) {
        uintptr_t begin = 0;
        uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
            size = end - begin;
            memfd = line.find("memfd:") != std::string::npos;
        } else if (line.compare(0, 8, "VmFlags:") == 0) {
            sum += memfd || line.find(" dc") != std::string::npos ? size : 0;
        }
    }
    return sum;
}

// CUDA_ERROR_UNKNOWN, which the fake says of itself never.
constexpr CUresult unknown_error = 999;

// Refused, it is the driver that keeps what we no longer want.
bool gives_back(const std::string &call) {
    for (const char *symbol : {"cuDevicePrimaryCtxRelease", "cuStreamDestroy", "cuEventDestroy", "cuMemFreeHost",
                               "cuMemUnmap", "cuMemRelease", "cuMemAddressFree"}) {
        if (call.find(symbol) != std::string::npos) {
            return true;
        }
    }
    return false;
}

// "cuMemHostRegister" of "17 tid=... cuMemHostRegister_v2(...) = 999".
std::string name_of(const std::string &call) {
    const std::size_t begin = call.find(" cu");
    const std::string symbol =
        begin == std::string::npos ? "" : call.substr(begin + 1, call.find('(', begin) - begin - 1);
    return symbol.substr(0, symbol.find("_v"));
}

// A way that is not taken is no error, unless it was the only one.
void expect_honest(const Step &step, near_status status, const Error &error, const std::string &call) {
    EXPECT_TRUE(status == NEAR_E_CUDA || status == NEAR_E_UNSUPPORTED)
        << step.name << ": " << near_status_name(status) << ": " << error.message << " after " << call;
    if (status == NEAR_E_CUDA && error.status != NEAR_OK) {
        EXPECT_TRUE(error.says(name_of(call).c_str())) << step.name << ": " << error.message << " after " << call;
    }
}

// How many steps failed when the n-th call of the driver did.
int live_through(Day &day, uint64_t n) {
    int failed = 0;
    for (const Step &step : day.steps()) {
        Error error;
        const near_status status = step.call(&error);
        if (status != NEAR_OK) {
            failed++;
            expect_honest(step, status, error, refused_call(unknown_error));
            Error again;
            EXPECT_EQ(step.call(&again), NEAR_OK) << step.name << " again, after call " << n << ": "
                                                  << refused_call(unknown_error) << ": " << again.message;
        }
    }
    return failed;
}

TEST_P(PinnedFailuresScript, OfEachCallOfTheDriverLeaveNothingBehind) {
    if (GetParam().methods == only(NEAR_PINNED_DRIVER_NODE) && !makes_memory_on_nodes()) {
        GTEST_SKIP() << "[host-numa] this driver makes no memory on nodes";
    }
    if (GetParam().methods == only(NEAR_PINNED_PLACED)) {
        NEEDS_BINDING();
    }
    const std::string held = fake()->held();
    uint64_t calls = 0;
    {
        Day day(GetParam());
        const uint64_t before = fake()->steps();
        for (const Step &step : day.steps()) {
            Error error;
            ASSERT_EQ(step.call(&error), NEAR_OK) << step.name << ": " << error.message;
        }
        calls = fake()->steps() - before;
    }
    ASSERT_EQ(fake()->held(), held);
    ASSERT_GT(calls, 50U);
    const std::size_t mapped = mapped_bytes();
    int failed = 0;
    const auto stride = static_cast<uint64_t>(nearpool_test::slowness()); // all of them, where that takes seconds
    for (uint64_t n = 1; n <= calls; n += stride) {
        {
            Day day(GetParam());
            fake()->log("memory");
            fake()->log_clear();
            fake()->fail("*", n, unknown_error, 0);
            failed += live_through(day, n);
        }
        fake()->fail("*", 0, 0, 0);
        fake()->log("");
        const std::string call = refused_call(unknown_error);
        ASSERT_TRUE(context_stack().empty()) << n << ": " << call;
        ASSERT_EQ(capture_mode(), 0) << n << ": " << call;
        if (gives_back(call)) {
            restart();
        }
        EXPECT_EQ(fake()->held(), held) << n << ": " << call;
        EXPECT_EQ(mapped_bytes(), mapped) << n << ": " << call;
        if (HasFailure()) {
            restart();
            break;
        }
    }
    EXPECT_GT(failed, 0);
}

INSTANTIATE_TEST_SUITE_P(, PinnedFailuresScript,
                         testing::Values(Case{"Placed", only(NEAR_PINNED_PLACED), 0, ""}, Case{"Any", 0, 0, ""},
                                         Case{"DriverNode", only(NEAR_PINNED_DRIVER_NODE), 0, ""},
                                         Case{"Touched", only(NEAR_PINNED_TOUCHED), 0, ""},
                                         Case{"OtherAddresses", only(NEAR_PINNED_TOUCHED), 0,
                                              R"("host_pointer_offset":65536)"},
                                         Case{"Driver", only(NEAR_PINNED_DRIVER), 0, ""},
                                         Case{"Shared", only(NEAR_PINNED_TOUCHED), NEAR_PINNED_SHARED, ""}),
                         [](const auto &test) { return std::string(test.param.name); });

} // namespace
