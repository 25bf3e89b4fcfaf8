// SPDX-License-Identifier: Apache-2.0
// How the tests of the cache, of requests and of the end of page-locked memory bring the driver and the streams into
// the state that they need.
#pragma once

#include "gpu/pinned_support.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace nearpool_gpu {

// The last node of this machine that has CPUs and memory.
inline uint32_t home_node() {
    for (std::size_t i = near_topology_node_count(nullptr); i-- > 0;) {
        near_node_info node{};
        node.struct_size = sizeof node;
        const uint32_t number = near_topology_node_at(nullptr, i);
        EXPECT_EQ(near_topology_node_info(nullptr, number, &node), NEAR_OK);
        if (node.cpu_count != 0 && node.memory_bytes != 0) {
            return number;
        }
    }
    return NEAR_NODE_UNKNOWN;
}
inline std::string device_at_home(const std::string &more = "") {
    return R"({"host_numa_id":)" + std::to_string(home_node()) + (more.empty() ? "" : "," + more) + "}";
}

// As Gpu and FakeGpu, with all GPUs of the fake driver next to one node, where also the test runs: what is made for one
// caller fits the next.
template <class Base> class NextToGpu : public Base {
protected:
    void SetUp() override {
        Base::SetUp();
        if (!testing::Test::IsSkipped()) {
            if (fake() != nullptr) {
                const std::string device = device_at_home();
                use("{\"devices\":[" + device + "," + device + "," + device + "]}");
            }
            Error error;
            EXPECT_EQ(near_pin_node(nullptr, home_node(), nullptr, &pin_, &error), NEAR_OK) << error.message;
        }
    }
    void TearDown() override {
        if (pin_ != nullptr) {
            EXPECT_EQ(near_pin_release(pin_, nullptr), NEAR_OK);
        }
        Base::TearDown();
        if (fake() != nullptr) {
            EXPECT_EQ(fake()->reset("", 1), nullptr);
        }
    }

    static void use(const std::string &json) {
        ASSERT_EQ(fake()->reset(json.c_str(), 0), nullptr);
        fake()->log("");
        ASSERT_EQ(driver()->init(0), cuda_success);
    }

private:
    near_pin *pin_ = nullptr;
};
using PinnedGpu = NextToGpu<Gpu>;
using PinnedFakeGpu = NextToGpu<FakeGpu>;

constexpr const char *registering = "cuMemHostRegister_v2";

// Calls of one function of the driver wait as long as this is closed.
class Gate {
public:
    explicit Gate(const char *symbol = registering) : symbol_(symbol) { fake()->gate(symbol_, 1); }
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;
    ~Gate() { open(); }
    void open() const { fake()->gate(symbol_, 0); }
    // Who waits goes on; who comes later waits.
    void let_through() const { fake()->gate(symbol_, 1); }
    bool await(uint64_t calls = 1) const {
        return nearpool_test::eventually([&] { return fake()->gate_waiting(symbol_) >= calls; });
    }

private:
    const char *const symbol_;
};

// A stream whose work does not end as long as this lives.
class Held {
public:
    explicit Held(CUstream stream) : stream_(stream) { EXPECT_EQ(fake()->hold(stream_), 0); }
    Held(const Held &) = delete;
    Held &operator=(const Held &) = delete;
    ~Held() { let_go(); }
    void let_go() {
        if (std::exchange(held_, false)) {
            EXPECT_EQ(fake()->let_go(stream_), 0);
        }
    }

private:
    const CUstream stream_;
    bool held_ = true;
};

// What the library logs, as long as this lives.
class Log {
public:
    explicit Log(int32_t level = NEAR_LOG_WARN) { EXPECT_EQ(near_log_set_callback(take, this, level), NEAR_OK); }
    Log(const Log &) = delete;
    Log &operator=(const Log &) = delete;
    ~Log() { EXPECT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK); }
    std::string text() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return text_;
    }
    bool says(const std::string &words) { return text().find(words) != std::string::npos; }

private:
    static void take(int32_t, const char *message, void *self) {
        auto &log = *static_cast<Log *>(self);
        const std::lock_guard<std::mutex> lock(log.mutex_);
        log.text_ += std::string(message) + "\n";
    }

    std::mutex mutex_;
    std::string text_;
};

inline numa_pool_options limited(uint64_t limit_bytes, uint32_t strict = 0) {
    numa_pool_options options = nearpool_test::options_for(nullptr);
    options.pinned_limit_bytes = limit_bytes;
    options.strict = strict;
    return options;
}

inline near_pinned_options base_pages(uint32_t flags = 0) {
    near_pinned_options options = pinned_options(0, flags);
    options.pages = NEAR_PAGES_BASE;
    return options;
}

// Each byte says which block it is of, and where in it.
inline void stamp(char *data, std::size_t bytes, uint64_t block) {
    for (std::size_t i = 0; i < bytes; i++) {
        data[i] = static_cast<char>(block * 31 + i * 7 + (i >> 8U));
    }
}
inline bool has_stamp(const char *data, std::size_t bytes, uint64_t block) {
    for (std::size_t i = 0; i < bytes; i++) {
        if (data[i] != static_cast<char>(block * 31 + i * 7 + (i >> 8U))) {
            return false;
        }
    }
    return true;
}

} // namespace nearpool_gpu
