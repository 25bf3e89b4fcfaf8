#include <stdint.h>
typedef struct near_one {
    uint32_t struct_size;
    uint32_t inserted;
    uint32_t first;
} near_one;
