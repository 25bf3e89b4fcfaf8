// SPDX-License-Identifier: Apache-2.0
// Compares our numbers of memory policies and of their flags with those of libnuma's numaif.h; compiled, never run.
// tests/abi/numa/check names the file of ours, and makes the list of what is compared.
#include <numaif.h>

#include NEARPOOL_DECLARATIONS

// A newer constant, which the header may lack: declared here as something else, it does not compile where the header
// has it in another form than a macro. So nothing is left out because of its form.
struct NewerThanThisHeader;
#define NEARPOOL_LACKS(theirs) extern NewerThanThisHeader theirs;
#define NEARPOOL_SAME(ours, theirs)                                                                                    \
    static_assert(static_cast<long>(nearpool::sys::ours) == static_cast<long>(theirs),                                 \
                  #ours " has another value than in numaif.h");

#include NEARPOOL_TABLE
