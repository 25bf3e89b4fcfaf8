/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of every public struct on a 64-bit machine. Written by tests/abi/record; compiling it is the test. */
#include <nearpool/one.h>
#include <stddef.h>

#define SIZE(type, bytes) typedef char size_of_##type[sizeof(type) == (bytes) ? 1 : -1]
#define OFFSET(type, member, bytes) typedef char offset_of_##type##_##member[offsetof(type, member) == (bytes) ? 1 : -1]

SIZE(near_one, 8);
OFFSET(near_one, struct_size, 0);
OFFSET(near_one, first, 4);

int main(void) {
    return 0;
}
