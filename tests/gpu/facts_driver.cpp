// SPDX-License-Identifier: Apache-2.0
#include "gpu/facts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace facts {
namespace {

constexpr std::size_t chunk_bytes = 64 * mib;

// Differs from one registration to the next.
unsigned char byte_at(std::size_t i) {
    return static_cast<unsigned char>(i * 31 + (i >> 13U) * 7 + (i >> 26U));
}

// All bytes there and back, in one copy each way. Empty: they came as they were.
std::string copy_both_ways(const Driver &driver, unsigned char *host, std::size_t bytes) {
    CUdeviceptr device = 0;
    if (const CUresult code = driver.mem_alloc(&device, bytes); code != cuda_success) {
        return failure("cuMemAlloc", code);
    }
    const auto synchronized = [&](CUresult code) {
        return code == cuda_success ? driver.stream_synchronize(nullptr) : code;
    };
    std::string why;
    for (std::size_t i = 0; i < bytes; i++) {
        host[i] = byte_at(i);
    }
    if (CUresult code = synchronized(driver.memcpy_to_device(device, host, bytes, nullptr)); code != cuda_success) {
        why = failure("cuMemcpyHtoDAsync", code);
    } else {
        std::memset(host, 0, bytes);
        code = synchronized(driver.memcpy_to_host(host, device, bytes, nullptr));
        bool same = true;
        for (std::size_t i = 0; same && i < bytes; i++) {
            same = host[i] == byte_at(i);
        }
        why = code != cuda_success ? failure("cuMemcpyDtoHAsync", code) : same ? "" : "other bytes came back";
    }
    driver.mem_free(device);
    return why;
}

} // namespace

Answer copy_crosses_chunks(const Place &place) {
    auto options = sized<near_pinned_options>();
    auto error = sized<near_error>();
    options.chunk_bytes = chunk_bytes;
    options.flags = NEAR_PINNED_NO_CACHE;
    options.methods = 1U << NEAR_PINNED_PLACED | 1U << NEAR_PINNED_TOUCHED;
    near_pinned *pinned = nullptr;
    if (numa_pool_alloc_pinned(place.workers, place.devices, 0, 2 * chunk_bytes, &options, &pinned, &error) !=
        NEAR_OK) {
        return not_testable(error.message);
    }
    auto info = sized<near_pinned_info>();
    Answer answer = not_testable("the memory has one registration");
    if (near_pinned_get_info(pinned, &info, nullptr) == NEAR_OK && info.chunk_count > 1) {
        const std::string why =
            copy_both_ways(place.driver, static_cast<unsigned char *>(near_pinned_data(pinned)), 2 * chunk_bytes);
        answer = {why.empty() ? Answer::yes : Answer::no,
                  why.empty() ? std::to_string(info.chunk_count) + " registrations of 64 MiB, there and back" : why};
    }
    near_pinned_free(pinned);
    return answer;
}

namespace {

constexpr std::size_t policy_bytes = 64 * mib;

// Memory policies as the kernel takes them; nobody's library does it for this program.
bool set_policy(int mode, uint32_t node) {
    unsigned long mask[16] = {};
    constexpr unsigned bits = 8 * sizeof mask[0];
    if (mode != MPOL_DEFAULT && node < 16 * bits) {
        mask[node / bits] = 1UL << (node % bits);
    }
    return syscall(SYS_set_mempolicy, mode, mode != MPOL_DEFAULT ? mask : nullptr,
                   mode != MPOL_DEFAULT ? 16 * bits + 1 : 0) == 0;
}

// How many pages of 4 KiB are on a node; -1: the kernel does not say.
int64_t pages_on(uint32_t node, char *data, std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::vector<void *> pages;
    for (std::size_t at = 0; at < bytes; at += page) {
        pages.push_back(data + at);
    }
    std::vector<int> nodes(pages.size(), -1);
    if (syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, nodes.data(), 0) != 0) {
        return -1;
    }
    int64_t count = 0;
    bool known = false;
    for (const int at : nodes) {
        known = known || at >= 0;
        count += at == static_cast<int>(node);
    }
    return known ? count : -1;
}

// Memory is freed on one node, where the driver may keep its pages, and then asked for on the other by policy.
Answer allocate_against_policy(const Driver &driver, uint32_t wanted) {
    void *memory = nullptr;
    CUresult code = driver.mem_host_alloc(&memory, policy_bytes, host_alloc_portable);
    if (code != cuda_success || (code = driver.mem_free_host(memory)) != cuda_success) {
        return not_testable(failure("cuMemHostAlloc or cuMemFreeHost", code));
    }
    if (!set_policy(MPOL_BIND, wanted)) {
        return not_testable(std::string("set_mempolicy: ") + std::strerror(errno));
    }
    code = driver.mem_host_alloc(&memory, policy_bytes, host_alloc_portable);
    set_policy(MPOL_DEFAULT, 0);
    if (code != cuda_success) {
        return not_testable(failure("cuMemHostAlloc", code));
    }
    const int64_t there = pages_on(wanted, static_cast<char *>(memory), policy_bytes);
    driver.mem_free_host(memory);
    if (there < 0) {
        return not_testable("the kernel does not say where these pages are");
    }
    const int64_t all = static_cast<int64_t>(policy_bytes) / sysconf(_SC_PAGESIZE);
    return {there < all ? Answer::yes : Answer::no,
            std::to_string(there) + " of " + std::to_string(all) + " pages on the node of the policy"};
}

} // namespace

Answer driver_ignores_policy(const Place &place) {
    uint32_t runs_on = NEAR_NODE_UNKNOWN;
    uint32_t wanted = NEAR_NODE_UNKNOWN;
    for (size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        auto info = sized<near_node_info>();
        const uint32_t node = near_topology_node_at(nullptr, i);
        if (near_topology_node_info(nullptr, node, &info) != NEAR_OK || info.memory_allowed == 0) {
            continue;
        }
        if (runs_on == NEAR_NODE_UNKNOWN && info.allowed_cpus != 0) {
            runs_on = node;
        } else {
            wanted = node;
        }
    }
    if (runs_on == NEAR_NODE_UNKNOWN || wanted == NEAR_NODE_UNKNOWN) {
        return not_testable("it takes two nodes with memory");
    }
    near_pin *pin = nullptr;
    auto error = sized<near_error>();
    if (near_pin_node(nullptr, runs_on, nullptr, &pin, &error) != NEAR_OK) {
        return not_testable(error.message);
    }
    Answer answer = allocate_against_policy(place.driver, wanted);
    return near_pin_release(pin, &error) == NEAR_OK ? answer : not_testable(error.message);
}

namespace {

// A great range over the same few pages again and again: only what the driver keeps of it is large.
class Repeated {
public:
    explicit Repeated(std::size_t bytes) : bytes_(bytes) {
        const int file = memfd_create("nearpool-facts", MFD_CLOEXEC);
        void *range = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (file >= 0 && range != MAP_FAILED && ftruncate(file, static_cast<off_t>(gib)) == 0) {
            data_ = static_cast<char *>(range);
            for (std::size_t at = 0; at < bytes; at += gib) {
                const void *part = mmap(data_ + at, std::min(gib, bytes - at), PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_FIXED, file, 0);
                data_ = part == MAP_FAILED ? nullptr : data_;
                if (data_ == nullptr) {
                    break;
                }
            }
        }
        if (data_ == nullptr && range != MAP_FAILED) {
            munmap(range, bytes);
        }
        if (file >= 0) {
            close(file);
        }
    }
    ~Repeated() {
        if (data_ != nullptr) {
            munmap(data_, bytes_);
        }
    }
    Repeated(const Repeated &) = delete;
    Repeated &operator=(const Repeated &) = delete;
    char *data() const { return data_; }

private:
    std::size_t bytes_;
    char *data_ = nullptr;
};

CUresult lock_and_unlock(const Driver &driver, char *data, std::size_t bytes) {
    const CUresult code = driver.mem_host_register(data, bytes, host_register_portable);
    return code == cuda_success ? driver.mem_host_unregister(data) : code;
}

} // namespace

Answer half_a_tebibyte_fails(const Place &place) {
    constexpr std::size_t too_much = 512 * gib + 2 * mib;
    constexpr std::size_t enough = 511 * gib;
    if (!place.large || place.driver.is_fake) {
        return not_testable("asked for by run.sh --facts large, on a real driver: it may stop all GPU processes of the "
                            "machine for minutes, and takes some GiB of memory");
    }
    const Repeated range(too_much);
    if (range.data() == nullptr) {
        return not_testable("the range cannot be mapped");
    }
    const CUresult less = lock_and_unlock(place.driver, range.data(), enough);
    const CUresult more = lock_and_unlock(place.driver, range.data(), too_much);
    const std::string detail = "511 GiB: CUDA error " + std::to_string(less) + "; 512 GiB and 2 MiB: CUDA error " +
                               std::to_string(more) + "; the same GiB of pages all over";
    if (less != cuda_success) {
        return not_testable(detail);
    }
    return {more != cuda_success ? Answer::yes : Answer::no, detail};
}

} // namespace facts
