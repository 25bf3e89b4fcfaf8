#include <hwloc.h>
#include <numa.h>
#include "gone.hpp"
