# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's own Python bindings use the driver, and hear from it what its documentation says, right or wrong."""

import ctypes
import unittest

from cuda.bindings import driver as cuda

Result = cuda.CUresult


def code(answer):
    """The error of a call: the first thing that it gives."""
    return answer[0]


def value(answer):
    """What a call gives that must succeed."""
    if answer[0] != Result.CUDA_SUCCESS:
        raise AssertionError(f"the driver answers {answer[0]!r}")
    return answer[1] if len(answer) == 2 else answer[1:]


def check(answer):
    if answer[0] != Result.CUDA_SUCCESS:
        raise AssertionError(f"the driver answers {answer[0]!r}")


class Devices(unittest.TestCase):
    def setUp(self):
        check(cuda.cuInit(0))

    def test_are_listed(self):
        count = value(cuda.cuDeviceGetCount())
        self.assertGreaterEqual(count, 1)
        for ordinal in range(count):
            device = value(cuda.cuDeviceGet(ordinal))
            self.assertTrue(value(cuda.cuDeviceGetName(100, device)).rstrip(b"\0"))
            self.assertGreater(value(cuda.cuDeviceTotalMem(device)), 0)
            address = value(cuda.cuDeviceGetPCIBusId(20, device)).rstrip(b"\0")
            self.assertEqual(int(value(cuda.cuDeviceGetByPCIBusId(address))), ordinal)
            major = cuda.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
            self.assertGreater(value(cuda.cuDeviceGetAttribute(major, device)), 0)
            self.assertEqual(len(bytes(value(cuda.cuDeviceGetUuid(device)).bytes)), 16)

    def test_outside_the_list_are_refused(self):
        count = value(cuda.cuDeviceGetCount())
        self.assertEqual(code(cuda.cuDeviceGet(count)), Result.CUDA_ERROR_INVALID_DEVICE)

    def test_nothing_is_made_without_a_context(self):
        self.assertEqual(code(cuda.cuStreamCreate(0)), Result.CUDA_ERROR_INVALID_CONTEXT)
        self.assertEqual(code(cuda.cuMemHostAlloc(4096, 0)), Result.CUDA_ERROR_INVALID_CONTEXT)
        self.assertEqual(code(cuda.cuMemGetInfo()), Result.CUDA_ERROR_INVALID_CONTEXT)

    def test_a_context_of_ones_own(self):
        if value(cuda.cuDriverGetVersion()) < 12050:
            self.skipTest("these bindings create contexts through the interface of 12.5")
        device = value(cuda.cuDeviceGet(0))
        context = value(cuda.cuCtxCreate(None, 0, device))
        self.assertEqual(int(value(cuda.cuCtxGetCurrent())), int(context))
        check(cuda.cuCtxDestroy(context))
        self.assertEqual(int(value(cuda.cuCtxGetCurrent())), 0)


class WithContext(unittest.TestCase):
    def setUp(self):
        check(cuda.cuInit(0))
        self.device = value(cuda.cuDeviceGet(0))
        self.context = value(cuda.cuDevicePrimaryCtxRetain(self.device))
        check(cuda.cuCtxPushCurrent(self.context))

    def tearDown(self):
        self.assertEqual(int(value(cuda.cuCtxPopCurrent())), int(self.context))
        check(cuda.cuDevicePrimaryCtxRelease(self.device))

    def test_streams_and_events(self):
        non_blocking = cuda.CUstream_flags.CU_STREAM_NON_BLOCKING
        least, greatest = value(cuda.cuCtxGetStreamPriorityRange())
        stream = value(cuda.cuStreamCreateWithPriority(non_blocking, greatest))
        other = value(cuda.cuStreamCreate(non_blocking))
        event = value(cuda.cuEventCreate(cuda.CUevent_flags.CU_EVENT_DISABLE_TIMING))
        self.assertEqual(value(cuda.cuStreamGetPriority(stream)), greatest)
        self.assertLessEqual(greatest, least)
        self.assertNotEqual(value(cuda.cuStreamGetId(stream)), value(cuda.cuStreamGetId(other)))
        check(cuda.cuEventRecord(event, stream))
        check(cuda.cuStreamWaitEvent(other, event, 0))
        check(cuda.cuStreamSynchronize(other))
        check(cuda.cuEventQuery(event))
        check(cuda.cuStreamQuery(stream))
        check(cuda.cuEventDestroy(event))
        check(cuda.cuStreamDestroy(stream))
        check(cuda.cuStreamDestroy(other))

    def test_data_go_out_and_come_back(self):
        size = 1 << 20
        host = value(cuda.cuMemHostAlloc(size, cuda.CU_MEMHOSTALLOC_PORTABLE))
        back = value(cuda.cuMemHostAlloc(size, 0))
        device = value(cuda.cuMemAlloc(size))
        stream = value(cuda.cuStreamCreate(cuda.CUstream_flags.CU_STREAM_NON_BLOCKING))
        pattern = bytes(range(256)) * (size // 256)
        ctypes.memmove(host, pattern, size)
        ctypes.memset(back, 0, size)
        check(cuda.cuMemcpyHtoDAsync(device, host, size, stream))
        check(cuda.cuMemcpyDtoHAsync(back, device, size, stream))
        check(cuda.cuStreamSynchronize(stream))
        self.assertEqual(ctypes.string_at(back, size), pattern)
        check(cuda.cuStreamDestroy(stream))
        check(cuda.cuMemFree(device))
        check(cuda.cuMemFreeHost(host))
        check(cuda.cuMemFreeHost(back))

    def test_memory_of_ours_is_registered_once(self):
        size = 8 << 12
        memory = ctypes.create_string_buffer(size + 4096)
        start = (ctypes.addressof(memory) + 4095) & ~4095
        check(cuda.cuMemHostRegister(start, size, cuda.CU_MEMHOSTREGISTER_PORTABLE))
        again = cuda.cuMemHostRegister(start, size, 0)
        self.assertEqual(code(again), Result.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED)
        check(cuda.cuMemHostUnregister(start))
        twice = cuda.cuMemHostUnregister(start)
        self.assertEqual(code(twice), Result.CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED)

    def test_mistakes_are_refused(self):
        self.assertEqual(code(cuda.cuMemAlloc(0)), Result.CUDA_ERROR_INVALID_VALUE)
        self.assertEqual(code(cuda.cuMemHostAlloc(0, 0)), Result.CUDA_ERROR_INVALID_VALUE)
        free, total = value(cuda.cuMemGetInfo())
        self.assertLess(free, total)
        self.assertEqual(code(cuda.cuMemAlloc(2 * total)), Result.CUDA_ERROR_OUT_OF_MEMORY)

    def test_a_busy_stream_is_not_ready(self):
        stream = value(cuda.cuStreamCreate(cuda.CUstream_flags.CU_STREAM_NON_BLOCKING))
        # Not by a host function that waits: the bindings call even one of C with Python's lock held, and whoever is to
        # end its wait may need that.
        fake = ctypes.CDLL("libcuda.so.1")
        if not hasattr(fake, "fakeCudaHold"):
            self.skipTest("only the fake's streams can be held")
        self.assertEqual(fake.fakeCudaHold(ctypes.c_void_p(int(stream))), 0)
        self.assertEqual(code(cuda.cuStreamQuery(stream)), Result.CUDA_ERROR_NOT_READY)
        self.assertEqual(fake.fakeCudaLetGo(ctypes.c_void_p(int(stream))), 0)
        check(cuda.cuStreamSynchronize(stream))
        check(cuda.cuStreamQuery(stream))
        check(cuda.cuStreamDestroy(stream))


if __name__ == "__main__":
    unittest.main()
