#include <hwloc/linux.h>
#include <numaif.h>
