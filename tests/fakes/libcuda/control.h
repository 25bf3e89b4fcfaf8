/* SPDX-License-Identifier: Apache-2.0 */
/* What tests ask the fake driver for besides the driver's interface; looked up by name (control.hpp). */
#ifndef FAKES_LIBCUDA_CONTROL_H
#define FAKES_LIBCUDA_CONTROL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Texts that are returned are good until the calling thread's next call of a control function. */

/* All as before cuInit, with another configuration: JSON, a file's path, or "" for the default; NULL: the same again.
   While something is held, nothing is done, and what is held is returned; unless forced. NULL: done. */
const char *fakeCudaReset(const char *config, int forced);

/* The configuration's text that is in force. */
const char *fakeCudaConfig(void);

/* The nth call of a symbol from now on fails with an error before it does anything, and with always each one after it.
   The symbol "*" is any entry point. nth 0: no longer. */
void fakeCudaFail(const char *symbol, uint64_t nth, int error, int always);

/* The nth call of a symbol from now on answers success and does nothing, as a driver with a mistake in it: what it
   makes is NULL or 0 where its first parameter says where to put that. In place of a failure, and the other way round.
 */
void fakeCudaNull(const char *symbol, uint64_t nth);

/* While a symbol's gate is closed, its calls wait before they do anything; opened, it lets all go; closed once more, it
   lets those go that wait, and nobody who comes later. How many wait now.
   A reset opens all gates; a call that waited until then does nothing and answers that the driver is deinitialised. */
void fakeCudaGate(const char *symbol, int closed);
uint64_t fakeCudaGateWaiting(const char *symbol);

/* How often a symbol was called since the last reset; "*": all calls together. */
uint64_t fakeCudaCalls(const char *symbol);
uint64_t fakeCudaStepCount(void);

/* The log: where is "" for none, "memory", "stderr" or a path. A line is: number, tid=, cpu=, ctx=, symbol(arguments) =
   result. */
void fakeCudaLog(const char *where);
const char *fakeCudaLogText(void);
void fakeCudaLogClear(void);

/* A context is lost: every call on it answers this error from now on, pending work is dropped, callbacks are told. */
int fakeCudaLose(void *context, int error);

/* The driver goes, as at the end of a process: every call answers that it is deinitialised. */
void fakeCudaTeardown(void);

/* Work for a stream that takes some time, and work that ends when it is let go. */
int fakeCudaBusy(void *stream, uint64_t ns);
int fakeCudaHold(void *stream);
int fakeCudaLetGo(void *stream);

/* What is held and not given back, one thing a line; "" when nothing is. */
const char *fakeCudaHeld(void);

/* 1 when all that is page-locked now is really locked in memory, and another page could be. */
int fakeCudaPinned(void);

/* Memory of a device that is in use, for NVML. */
uint64_t fakeCudaDeviceUsed(int ordinal);

/* Threads that streams have now. */
int fakeCudaThreads(void);

#ifdef __cplusplus
}
#endif

#endif
