"""numba and llvmlite, set up for this package; every other module takes them from here.

numba looks for scipy's linear algebra when it is imported, a third of a second that no kernel needs. And
it keeps compiled kernels by the file they stand in, while ours are emitted by several: so they go into a
folder of their own for each version of this code.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from assistant.paths import user_paths

_BLAS = "scipy.linalg.cython_blas"


def kernel_folder() -> Path:
    """Return where compiled kernels of this version of the code are kept."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return user_paths().cache / "kernels" / digest.hexdigest()[:16]


_without_blas = _BLAS not in sys.modules
if _without_blas:
    sys.modules[_BLAS] = None  # type: ignore[assignment]  # makes the import fail at once
try:
    import numba.core.config
    from llvmlite import binding, ir
    from numba import carray, cfunc, njit
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.extending import intrinsic
finally:
    if _without_blas:
        del sys.modules[_BLAS]

types: Any = numba_types  # made at run time, so that no checker sees its names

if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.core.config.CACHE_DIR = str(kernel_folder())

__all__ = [
    "binding",
    "carray",
    "cfunc",
    "cgutils",
    "intrinsic",
    "ir",
    "kernel_folder",
    "njit",
    "types",
]
