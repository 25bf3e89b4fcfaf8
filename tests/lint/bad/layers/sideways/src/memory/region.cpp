#include "../cuda/driver.hpp"
