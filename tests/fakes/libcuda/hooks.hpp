// SPDX-License-Identifier: Apache-2.0
// What tests ask the driver to do besides: fail at the n-th call, take its time, write down what was called.
#pragma once

#include "enter.hpp"

#include <string>

namespace fakes::cuda {

/// The hooks of a configuration, in place of all others.
void set_hooks(const Config &config);

/// The nth call of a symbol from now on fails; "*" is any call; nth 0: no longer.
void add_failure(const std::string &symbol, uint64_t nth, CUresult error, bool always);

/// The error that this call is to fail with, or success.
CUresult take_failure(const char *symbol);

void take_time(const char *symbol);

void log_call(const Call &call, const ThreadState &self, uint64_t sequence, CUresult result);
uint64_t next_sequence();
std::string log_text();
void clear_log();
void set_log(const std::string &where);

} // namespace fakes::cuda
