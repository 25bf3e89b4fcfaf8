#include "sys/port.hpp"
