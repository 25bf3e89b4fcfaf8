#ifndef NEARPOOL_WRONG_H
#define NEARPOOL_WRONG_H

#include <stdbool.h>
#include <stdint.h>

#define NEAR_TWICE(x) ((x)*2)

typedef union near_either {
    uint32_t number;
    float real;
} near_either;

typedef struct near_bits {
    uint32_t low : 4;
    uint32_t high : 28;
} near_bits;

extern int near_exported;
static inline long near_add(long a, long b) {
    return a + b;
}
void near_print(const char *format, ...);

#endif
