#include <numaif.h>
#include <hwloc.h>
#include <sys/mman.h>
#include <dlfcn.h>
