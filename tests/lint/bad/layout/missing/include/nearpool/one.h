#include <stdint.h>
typedef struct near_one {
    uint32_t struct_size;
    uint32_t first;
    uint64_t last;
} near_one;
