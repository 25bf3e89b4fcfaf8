/* SPDX-License-Identifier: Apache-2.0 */
/* A header that lacks what every version has. */
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_INTERLEAVE 3
#define MPOL_LOCAL 4
#define MPOL_MF_MOVE (1 << 1)
