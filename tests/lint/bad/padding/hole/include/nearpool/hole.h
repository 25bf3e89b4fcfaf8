#include <stdint.h>
typedef struct near_hole {
    uint32_t struct_size;
    uint64_t bytes;
    uint32_t tail;
} near_hole;
