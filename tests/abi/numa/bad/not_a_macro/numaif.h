/* SPDX-License-Identifier: Apache-2.0 */
/* A header that has a newer policy, under another number, and not as a macro. */
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_BIND 2
#define MPOL_INTERLEAVE 3
#define MPOL_LOCAL 4
#define MPOL_MF_MOVE (1 << 1)
enum { MPOL_WEIGHTED_INTERLEAVE = 7 };
