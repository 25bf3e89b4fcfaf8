/* SPDX-License-Identifier: Apache-2.0 */
/* What the hosts share: opening the library and asking for its table. Needs _GNU_SOURCE for dladdr. */
#ifndef LOAD_H
#define LOAD_H

#include <dlfcn.h>
#include <nearpool/api.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool complain(const char *what, const char *why) {
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", what, why);
    return false;
}

/* POSIX promises that dlsym's result can be a function; ISO C wants the bytes copied instead of a cast. */
static near_api_get_fn entry_of(void *library) {
    void *symbol = dlsym(library, "near_api_get");
    near_api_get_fn entry = NULL;
    memcpy(&entry, &symbol, sizeof entry);
    return entry;
}

static const near_api *table_of(void *library) {
    near_api_get_fn entry = library != NULL ? entry_of(library) : NULL;
    const near_api *near = entry != NULL ? entry(NEAR_ABI_MAJOR, sizeof(near_api)) : NULL;
    if (near == NULL)
        complain("loading nearpool", entry != NULL ? "its table is not one for these headers" : dlerror());
    return near;
}

#endif
