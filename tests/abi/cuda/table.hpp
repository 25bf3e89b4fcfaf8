// SPDX-License-Identifier: Apache-2.0
// Compares the rows of NEARPOOL_TABLE, after the Toolkit's headers and our declarations were included:
//
//     NEARPOOL_HANDLE(name, since)               a pointer to what the library keeps to itself
//     NEARPOOL_STRUCT(name, since)               with one row per member; the parts of others stand above it
//     NEARPOOL_MEMBER(name, member, theirs, since)
//     NEARPOOL_BYTES(name, member, theirs, since)  a member whose inside is the Toolkit's matter: bytes here
//     NEARPOOL_TYPE(name, since)                 any other type
//     NEARPOOL_CONSTANT(name, theirs, since)
//
// Types have one name on both sides, members and constants are compared with `theirs`. `since` is `always`, or the CUDA
// version whose headers are the first to have it. The texts below are read by tests/abi/cuda/check, which sees by them
// that nothing we declare is left out.

#include "compare.hpp"
#include "since.hpp"
#include <cstdint>

namespace ours = NEARPOOL_NAMESPACE;

namespace compare {

#define NEARPOOL_PAIR(name)                                                                                            \
    template <> struct Corresponds<ours::name, ::name> : std::true_type {};
#define NEARPOOL_POINTED_TO(name)                                                                                      \
    template <>                                                                                                        \
    struct Corresponds<std::remove_pointer_t<ours::name>, std::remove_pointer_t<::name>> : std::true_type {};

#define NEARPOOL_HANDLE(name, since) NEARPOOL_SINCE_##since(NEARPOOL_POINTED_TO(name), )
#define NEARPOOL_STRUCT(name, since) NEARPOOL_SINCE_##since(NEARPOOL_PAIR(name), )
#define NEARPOOL_MEMBER(name, member, theirs, since)
#define NEARPOOL_BYTES(name, member, theirs, since)
#define NEARPOOL_TYPE(name, since)
#define NEARPOOL_CONSTANT(name, theirs, since)
#include NEARPOOL_TABLE
#undef NEARPOOL_HANDLE
#undef NEARPOOL_STRUCT
#undef NEARPOOL_MEMBER
#undef NEARPOOL_BYTES
#undef NEARPOOL_TYPE
#undef NEARPOOL_CONSTANT

} // namespace compare

#define NEARPOOL_SAME_TYPE(name)                                                                                       \
    static_assert(compare::is_compatible<ours::name, ::name>(),                                                        \
                  "type " #name ": is not the Toolkit's type of this name");
#define NEARPOOL_SAME_LAYOUT(name)                                                                                     \
    static_assert(compare::is_same_layout<ours::name, ::name>(),                                                       \
                  "type " #name ": differs in size or alignment from the Toolkit's");
#define NEARPOOL_SAME_MEMBER(name, member, theirs)                                                                     \
    static_assert(offsetof(ours::name, member) == offsetof(::name, theirs) &&                                          \
                      compare::is_compatible<decltype(ours::name::member), decltype(::name::theirs)>(),                \
                  "member " #name "." #member ": is elsewhere or of another type than the Toolkit's");
#define NEARPOOL_SAME_BYTES(name, member, theirs)                                                                      \
    static_assert(offsetof(ours::name, member) == offsetof(::name, theirs) &&                                          \
                      sizeof(ours::name::member) == sizeof(::name::theirs) &&                                          \
                      std::is_same_v<std::remove_extent_t<decltype(ours::name::member)>, unsigned char>,               \
                  "member " #name "." #member ": is elsewhere, of another size than the Toolkit's, or no bytes");
// The Toolkit writes some handles as (CUstream)0x1. A cast to a pointer is no constant; here, CUstream is a number.
#define NEARPOOL_SAME_VALUE(name, theirs)                                                                              \
    namespace compare::constant_##name {                                                                               \
        using CUstream [[maybe_unused]] = std::uintptr_t;                                                              \
        static_assert(is_same_value(ours::name, theirs), "constant " #name ": has another value in the Toolkit");      \
    }

#define NEARPOOL_HANDLE(name, since) NEARPOOL_SINCE_##since(NEARPOOL_SAME_TYPE(name), NEARPOOL_ABSENT(name))
#define NEARPOOL_STRUCT(name, since) NEARPOOL_SINCE_##since(NEARPOOL_SAME_LAYOUT(name), NEARPOOL_ABSENT(name))
#define NEARPOOL_MEMBER(name, member, theirs, since)                                                                   \
    NEARPOOL_SINCE_##since(NEARPOOL_SAME_MEMBER(name, member, theirs), )
#define NEARPOOL_BYTES(name, member, theirs, since) NEARPOOL_SINCE_##since(NEARPOOL_SAME_BYTES(name, member, theirs), )
#define NEARPOOL_TYPE(name, since) NEARPOOL_SINCE_##since(NEARPOOL_SAME_TYPE(name), NEARPOOL_ABSENT(name))
#define NEARPOOL_CONSTANT(name, theirs, since)                                                                         \
    NEARPOOL_SINCE_##since(NEARPOOL_SAME_VALUE(name, theirs), NEARPOOL_ABSENT(theirs))
#include NEARPOOL_TABLE
