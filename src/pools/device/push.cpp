// SPDX-License-Identifier: Apache-2.0
#include "pools/device/pool.hpp"

namespace nearpool::device {
namespace {

struct Pushed {
    const cuda::Driver *driver;
    cuda::CUcontext context;
    ForkMark mark;
};

thread_local std::vector<Pushed> pushed;

} // namespace

Done push_current(Device &device) {
    const Result<cuda::CUcontext> context = device.context();
    if (!context) {
        return context.error();
    }
    pushed.reserve(pushed.size() + 1); // so that nothing can fail once it is pushed
    const cuda::CUresult code = device.driver().ctx_push_current(context.value());
    if (code != cuda::cuda_success) {
        return device.driver().error(code, "cuCtxPushCurrent");
    }
    pushed.push_back(Pushed{&device.driver(), context.value(), {}});
    return {};
}

Done pop_current() {
    if (pushed.empty()) {
        return fail(NEAR_E_WRONG_THREAD, "this thread has pushed no context that is not popped");
    }
    const Pushed latest = pushed.back();
    if (latest.mark.forked()) {
        pushed.pop_back();
        return fail(NEAR_E_FORKED, "the context was pushed in the parent of this process");
    }
    cuda::CUcontext current = nullptr;
    if (const cuda::CUresult code = latest.driver->ctx_get_current(&current); code != cuda::cuda_success) {
        return latest.driver->error(code, "cuCtxGetCurrent");
    }
    if (current != latest.context) {
        return fail(NEAR_E_BUSY, "another context is current than the one that was pushed; undo first what came after");
    }
    if (const cuda::CUresult code = latest.driver->ctx_pop_current(&current); code != cuda::cuda_success) {
        return latest.driver->error(code, "cuCtxPopCurrent");
    }
    pushed.pop_back();
    return {};
}

} // namespace nearpool::device
