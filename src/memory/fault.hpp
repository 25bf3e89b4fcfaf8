// SPDX-License-Identifier: Apache-2.0
// Faulting pages in. What they hold stays as it is.
#pragma once

#include "memory/binding.hpp"
#include "memory/ceiling.hpp"

namespace nearpool {

// By the caller, or in parallel by the crew of the target nodes. `blocks`: there may be transparent huge pages.
// `progress`, if there is one, can end it: the outcome is then -ECANCELED; so can `ceiling`, with -ENOMEM.
CrewOutcome fault_in(const Site &site, const Mapping &mapping, const Arrangement &arrangement, bool here, bool blocks,
                     Progress *progress, Ceiling *ceiling);

} // namespace nearpool
