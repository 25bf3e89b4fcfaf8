// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nearpool {
namespace {

class RealFutex final : public FutexPort {
public:
    // FUTEX_WAIT_BITSET takes an absolute time, so that an interrupted wait need not be shortened (futex(2)).
    int wait(std::atomic<uint32_t> *word, uint32_t expected, uint64_t deadline_ns) override {
        timespec deadline{};
        deadline.tv_sec = static_cast<time_t>(deadline_ns / 1000000000U);
        deadline.tv_nsec = static_cast<long>(deadline_ns % 1000000000U);
        const long result = ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                                      deadline_ns == UINT64_MAX ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
        return result < 0 ? -errno : 0;
    }

    int wake(std::atomic<uint32_t> *word, int count) override {
        const long result = ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
        return result < 0 ? -errno : static_cast<int>(result);
    }
};

} // namespace

FutexPort &real_futex() {
    static auto *const port = new RealFutex;
    return *port;
}

} // namespace nearpool
