// SPDX-License-Identifier: Apache-2.0
// What tests ask the driver to do besides: fail at the n-th call, take its time, write down what was called.
#pragma once

#include "enter.hpp"

#include <optional>
#include <string>

namespace fakes::cuda {

/// The hooks of a configuration, in place of all others; gates stay as they are.
void set_hooks(const Config &config);

/// The nth call of a symbol from now on fails; "*" is any call; nth 0: no longer. The error `success`: it answers that,
/// and does and gives nothing.
void add_failure(const std::string &symbol, uint64_t nth, CUresult error, bool always);

/// What this call is to answer without doing anything; empty: what it does.
std::optional<CUresult> take_failure(const char *symbol);

/// Calls of a symbol stop before they do anything, until the gate opens.
void set_gate(const std::string &symbol, bool closed);
uint64_t waiting_at_gate(const std::string &symbol);

/// For a reset: those who wait must not go on, for what they are about is taken down.
void open_all_gates();

/// Returns once the gate is open; false: a reset opened it.
bool wait_at_gate(const char *symbol);

void take_time(const char *symbol);

void log_call(const Call &call, const ThreadState &self, uint64_t sequence, CUresult result);
uint64_t next_sequence();
std::string log_text();
void clear_log();
void set_log(const std::string &where);

} // namespace fakes::cuda
