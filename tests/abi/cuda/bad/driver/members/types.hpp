// SPDX-License-Identifier: Apache-2.0
// Structs of the right size with members in each other's places, of another type, and with too few bytes.
namespace nearpool::cuda {
using CUresult = int;
using CUdeviceptr = unsigned;
struct CUmemLocation {
    int id;
    int type;
};
struct CUmemAllocationProp {
    int type;
    int requested_handle_types;
    CUmemLocation location;
    unsigned long win32_handle_meta_data;
    unsigned char flags[4];
};
struct CUmemAccessDesc {
    CUmemLocation location;
    unsigned char flags[4];
};
} // namespace nearpool::cuda
