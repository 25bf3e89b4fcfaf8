// SPDX-License-Identifier: Apache-2.0
#include "cuda/driver.hpp"

#include "base/text.hpp"

namespace nearpool::cuda {
namespace {

enum class Need {
    required,
    optional
};

// Finds one interface: by its exported, versioned name, else through the driver's own resolver. The bare name is never
// taken for a versioned one: it may be an older interface with other types.
class Resolver {
public:
    Resolver(LibraryPort &libraries, void *library)
        : libraries_(libraries), library_(library),
          with_status_(reinterpret_cast<WithStatus>(libraries.symbol(library, "cuGetProcAddress_v2"))),
          plain_(reinterpret_cast<Plain>(libraries.symbol(library, "cuGetProcAddress"))) {}

    void *find(const char *symbol, const char *name, int version) const {
        if (void *exported = libraries_.symbol(library_, symbol); exported != nullptr) {
            return exported;
        }
        void *function = nullptr;
        CUdriverProcAddressQueryResult found = 0;
        if (with_status_ != nullptr) {
            return with_status_(name, &function, version, 0, &found) == cuda_success && found == 0 ? function : nullptr;
        }
        return plain_ != nullptr && plain_(name, &function, version, 0) == cuda_success ? function : nullptr;
    }

private:
    using WithStatus = CUresult (*)(const char *, void **, int, uint64_t, CUdriverProcAddressQueryResult *);
    using Plain = CUresult (*)(const char *, void **, int, uint64_t);

    LibraryPort &libraries_;
    void *library_;
    WithStatus with_status_;
    Plain plain_;
};

template <class Function>
bool resolve(const Resolver &resolver, Function *&member, const char *symbol, const char *name, int version,
             Need need) {
    member = reinterpret_cast<Function *>(resolver.find(symbol, name, version));
    return member != nullptr || need == Need::optional;
}

// The first of the needed entry points that is missing; nullptr: none.
const char *resolve_all(const Resolver &resolver, Driver &driver) {
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    if (!resolve(resolver, driver.member, #symbol, #name, version, Need::need)) {                                      \
        return #symbol;                                                                                                \
    }
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    return nullptr;
}

} // namespace

const char *Driver::name_of(CUresult code) const noexcept {
    const char *name = nullptr;
    return get_error_name(code, &name) == cuda_success && name != nullptr ? name : "unknown error";
}

Error Driver::error(CUresult code, const char *call) const {
    const char *text = nullptr;
    if (get_error_string(code, &text) != cuda_success || text == nullptr) {
        text = "the driver has no words for it";
    }
    return Error{NEAR_E_CUDA, NEAR_DOMAIN_CUDA, code, format("%s: %s (%d): %s", call, name_of(code), code, text)};
}

bool is_lost(CUresult code) noexcept {
    return code == cuda_error_ecc_uncorrectable || code == cuda_error_nvlink_uncorrectable ||
           code == cuda_error_illegal_address || code == cuda_error_launch_timeout ||
           code == cuda_error_context_is_destroyed || code == cuda_error_assert || code == cuda_error_deinitialized ||
           (code >= cuda_error_hardware_stack_error && code <= cuda_error_launch_failed);
}

Result<Driver> resolve_driver(LibraryPort &libraries, void *library, const std::string &name) {
    Driver driver;
    if (const char *missing = resolve_all(Resolver(libraries, library), driver); missing != nullptr) {
        return fail(NEAR_E_NO_DRIVER, "%s has no %s; a driver for CUDA 11.0 or later is needed", name.c_str(), missing);
    }
    if (const CUresult code = driver.driver_get_version(&driver.version); code != cuda_success) {
        return driver.error(code, "cuDriverGetVersion");
    }
    return driver;
}

} // namespace nearpool::cuda
