# SPDX-License-Identifier: Apache-2.0
"""The Toolkit headers that the declarations are compared with: which, and where fetch keeps them."""

import os
import sys
from pathlib import Path
from typing import NamedTuple, Optional

sys.dont_write_bytecode = True


class Wheel(NamedTuple):
    """One package of PyPI, and what of it is kept."""
    package: str
    version: str
    headers: tuple

    @property
    def folder(self):
        return f"{self.package}-{self.version}"


def runtime(package, version):
    return Wheel(package, version, ("cuda.h", "cudaTypedefs.h"))


def nvml(package, version):
    return Wheel(package, version, ("nvml.h",))


# The oldest driver interface that is supported, the last of 12, and a 13: in between, names were given new meanings.
TOOLKITS = {
    "11.8": (runtime("nvidia-cuda-runtime-cu11", "11.8.89"), nvml("nvidia-nvml-dev-cu11", "11.8.86")),
    "12.9": (runtime("nvidia-cuda-runtime-cu12", "12.9.79"), nvml("nvidia-nvml-dev-cu12", "12.9.79")),
    "13.5": (runtime("nvidia-cuda-runtime", "13.5.37"), nvml("nvidia-nvml-dev", "13.5.37")),
}


def default_cache() -> Optional[Path]:
    """$NEARPOOL_CUDA_CACHE, or nearpool/cuda in the user's cache folder; None where there is none."""
    if os.environ.get("NEARPOOL_CUDA_CACHE"):
        return Path(os.environ["NEARPOOL_CUDA_CACHE"])
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"], "nearpool", "cuda")
    if os.environ.get("HOME"):
        return Path(os.environ["HOME"], ".cache", "nearpool", "cuda")
    return None


def is_complete(cache, wheel):
    return all((cache / wheel.folder / header).is_file() for header in wheel.headers)
