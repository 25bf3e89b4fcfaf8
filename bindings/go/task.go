// SPDX-License-Identifier: Apache-2.0

package main

/*
#include <nearpool/nearpool.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// newSlot keeps a function until its task runs: a cgo.Handle in memory of C.
func newSlot(run func() error) unsafe.Pointer {
	slot := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0)))) // Go's malloc never returns nil
	*(*cgo.Handle)(slot) = cgo.NewHandle(run)
	return slot
}

func takeSlot(slot unsafe.Pointer) cgo.Handle {
	handle := *(*cgo.Handle)(slot)
	C.free(slot)
	return handle
}

// call turns a panic into an error: it must not unwind into C.
func call(run func() error) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the task panicked: %v", problem)
		}
	}()
	return run()
}

// goRunTask is what a worker calls.
//
//export goRunTask
func goRunTask(slot unsafe.Pointer) C.near_status {
	handle := takeSlot(slot)
	defer handle.Delete()
	err := call(handle.Value().(func() error))
	if err == nil {
		return C.NEAR_OK
	}
	text := C.CString(err.Error())
	defer C.free(unsafe.Pointer(text))
	return C.near_task_fail(text)
}
