// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pools/numa/pool.hpp"

namespace nearpool::api {

// The process's own pool; a child of fork() gets a fresh one. A failed creation is tried again by the next call.
Result<numa::Pool *> default_pool();

} // namespace nearpool::api
