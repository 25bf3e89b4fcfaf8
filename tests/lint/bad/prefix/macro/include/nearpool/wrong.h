#ifndef NEARPOOL_WRONG_H
#define NEARPOOL_WRONG_H
#define FOREVER 1
#endif
