// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <array>
#include <cerrno>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace nearpool {
namespace {

constexpr std::size_t word_bits = 8 * sizeof(unsigned long);
constexpr std::size_t most_words = (1U << 20) / word_bits;

NumberSet numbers_of(const std::vector<unsigned long> &words) {
    std::vector<uint32_t> numbers;
    for (std::size_t i = 0; i < words.size(); i++) {
        for (unsigned long left = words[i]; left != 0; left &= left - 1) { // without its lowest bit
            numbers.push_back(static_cast<uint32_t>(i * word_bits + static_cast<std::size_t>(__builtin_ctzl(left))));
        }
    }
    return NumberSet(std::move(numbers));
}

// Without an allocation up to 8192 CPUs: pins are taken back by it when memory has run out.
int set_affinity_of(pid_t thread, const NumberSet &cpus) {
    const std::size_t words = cpus.empty() ? 1 : cpus.back() / word_bits + 1;
    std::array<unsigned long, 128> usual{};
    std::vector<unsigned long> large(words > usual.size() ? words : 0);
    unsigned long *mask = large.empty() ? usual.data() : large.data();
    for (const uint32_t cpu : cpus) {
        mask[cpu / word_bits] |= 1UL << (cpu % word_bits);
    }
    const long result = ::syscall(SYS_sched_setaffinity, thread, words * sizeof(unsigned long), mask);
    return result < 0 ? -errno : 0;
}

// EINVAL means that the kernel's masks are longer than ours (sched_setaffinity(2)).
int affinity_of(pid_t thread, NumberSet *cpus) {
    for (std::size_t words = 16;; words *= 2) {
        std::vector<unsigned long> mask(words);
        const long result = ::syscall(SYS_sched_getaffinity, thread, words * sizeof(unsigned long), mask.data());
        if (result < 0 && errno == EINVAL && words < most_words) {
            continue;
        }
        if (result < 0) {
            return -errno;
        }
        *cpus = numbers_of(mask);
        return 0;
    }
}

class RealAffinity final : public AffinityPort {
public:
    int get(NumberSet *cpus) override { return affinity_of(0, cpus); }
    int get_process(NumberSet *cpus) override { return affinity_of(::getpid(), cpus); }
    int set(const NumberSet &cpus) override { return set_affinity_of(0, cpus); }
    int get_of(pid_t thread, NumberSet *cpus) override { return affinity_of(thread, cpus); }
    int set_of(pid_t thread, const NumberSet &cpus) override { return set_affinity_of(thread, cpus); }
    int current(uint32_t *cpu, uint32_t *node) override { return ::getcpu(cpu, node) < 0 ? -errno : 0; }
};

} // namespace

pid_t this_thread_id() {
    return ::gettid();
}

AffinityPort &real_affinity() {
    static auto *const port = new RealAffinity;
    return *port;
}

} // namespace nearpool
