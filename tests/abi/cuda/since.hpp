// SPDX-License-Identifier: Apache-2.0
// NEARPOOL_SINCE_<version>(there, absent): `there` when the headers are of this CUDA version or newer, else `absent`.
// A version without a line here does not compile. Whatever the oldest compared headers (11.8) have needs no condition.
#pragma once

#define NEARPOOL_SINCE_always(there, absent) there
#define NEARPOOL_SINCE_2000(there, absent) there
#define NEARPOOL_SINCE_2020(there, absent) there
#define NEARPOOL_SINCE_2030(there, absent) there
#define NEARPOOL_SINCE_3020(there, absent) there
#define NEARPOOL_SINCE_4000(there, absent) there
#define NEARPOOL_SINCE_4010(there, absent) there
#define NEARPOOL_SINCE_5000(there, absent) there
#define NEARPOOL_SINCE_5050(there, absent) there
#define NEARPOOL_SINCE_6000(there, absent) there
#define NEARPOOL_SINCE_6050(there, absent) there
#define NEARPOOL_SINCE_7000(there, absent) there
#define NEARPOOL_SINCE_8000(there, absent) there
#define NEARPOOL_SINCE_9020(there, absent) there
#define NEARPOOL_SINCE_10000(there, absent) there
#define NEARPOOL_SINCE_10010(there, absent) there
#define NEARPOOL_SINCE_10020(there, absent) there
#define NEARPOOL_SINCE_11000(there, absent) there
#define NEARPOOL_SINCE_11020(there, absent) there
#define NEARPOOL_SINCE_11030(there, absent) there
#define NEARPOOL_SINCE_11040(there, absent) there

#if CUDA_VERSION >= 12000
#define NEARPOOL_SINCE_12000(there, absent) there
#else
#define NEARPOOL_SINCE_12000(there, absent) absent
#endif

#if CUDA_VERSION >= 12020
#define NEARPOOL_SINCE_12020(there, absent) there
#else
#define NEARPOOL_SINCE_12020(there, absent) absent
#endif

#if CUDA_VERSION >= 12040
#define NEARPOOL_SINCE_12040(there, absent) there
#else
#define NEARPOOL_SINCE_12040(there, absent) absent
#endif

#if CUDA_VERSION >= 12050
#define NEARPOOL_SINCE_12050(there, absent) there
#else
#define NEARPOOL_SINCE_12050(there, absent) absent
#endif

#if CUDA_VERSION >= 12080
#define NEARPOOL_SINCE_12080(there, absent) there
#else
#define NEARPOOL_SINCE_12080(there, absent) absent
#endif

#if CUDA_VERSION >= 13000
#define NEARPOOL_SINCE_13000(there, absent) there
#else
#define NEARPOOL_SINCE_13000(there, absent) absent
#endif

// What is newer than the headers must be unknown to them: if they do know it, this declares it a second time, which
// does not compile. So a version too new hides nothing from the comparison.
struct NewerThanTheseHeaders;
#define NEARPOOL_ABSENT(theirs) extern NewerThanTheseHeaders theirs;
