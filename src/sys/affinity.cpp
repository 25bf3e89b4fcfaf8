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
    for (std::size_t bit = 0; bit < words.size() * word_bits; bit++) {
        if ((words[bit / word_bits] >> (bit % word_bits) & 1UL) != 0) {
            numbers.push_back(static_cast<uint32_t>(bit));
        }
    }
    return NumberSet(std::move(numbers));
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

    // Without an allocation up to 8192 CPUs: pins are taken back by it when memory has run out.
    int set(const NumberSet &cpus) override {
        const std::size_t words = cpus.empty() ? 1 : cpus.back() / word_bits + 1;
        std::array<unsigned long, 128> usual{};
        std::vector<unsigned long> large(words > usual.size() ? words : 0);
        unsigned long *mask = large.empty() ? usual.data() : large.data();
        for (const uint32_t cpu : cpus) {
            mask[cpu / word_bits] |= 1UL << (cpu % word_bits);
        }
        const long result = ::syscall(SYS_sched_setaffinity, 0, words * sizeof(unsigned long), mask);
        return result < 0 ? -errno : 0;
    }

    int current(uint32_t *cpu, uint32_t *node) override { return ::getcpu(cpu, node) < 0 ? -errno : 0; }
};

} // namespace

AffinityPort &real_affinity() {
    static auto *const port = new RealAffinity;
    return *port;
}

} // namespace nearpool
