"""LightGBM's trees by its shared library alone, as its C API has them.

The Python package imports scipy, which is as large as everything else that the API needs, and takes a third of a second
to import. What it would answer is what its library answers here.
https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

from __future__ import annotations

import ctypes
import weakref
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronos_training.core.errors import ConfigurationError, DataError

Array = NDArray[np.float64]
# Of C_API_DTYPE_*, C_API_PREDICT_*.
_FLOAT64, _NORMAL, _CONTRIBUTIONS = 1, 0, 3
_ALL_TREES = -1
_ONE_THREAD = b"num_threads=1"


class TreeLibraryModel:
    """A model from LightGBM's text."""

    def __init__(self, text: str) -> None:
        """DataError when the text is not a model; ConfigurationError where LightGBM is not installed."""
        self._handle = ctypes.c_void_p()
        _call("LoadModelFromString", text.encode(), ctypes.byref(ctypes.c_int()), ctypes.byref(self._handle))
        weakref.finalize(self, _library().LGBM_BoosterFree, self._handle).atexit = False

    def predict(self, values: Array) -> Array:
        """Return the sum of the trees: (n) from (n, features)."""
        return self._predicted(values, _NORMAL, 1)[:, 0]

    def contributions(self, values: Array) -> Array:
        """Return SHAP values, and the mean in the last column: (n, features + 1) from (n, features)."""
        return self._predicted(values, _CONTRIBUTIONS, values.shape[1] + 1)

    def _predicted(self, values: Array, kind: int, columns: int) -> Array:
        rows = np.ascontiguousarray(values, dtype=np.float64)
        found = np.empty((rows.shape[0], columns), dtype=np.float64)
        written = ctypes.c_int64()
        _call(
            "PredictForMat", self._handle, _pointer(rows), _FLOAT64, rows.shape[0], rows.shape[1], 1, kind,
            0, _ALL_TREES, _ONE_THREAD, ctypes.byref(written), _pointer(found),
        )  # fmt: skip
        if written.value != found.size:
            raise DataError(f"LightGBM answered with {written.value} numbers, not {found.size}.")
        return found


def _pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _call(name: str, *arguments: Any) -> None:
    library = _library()
    if getattr(library, f"LGBM_Booster{name}")(*arguments):
        raise DataError(f"LightGBM cannot use this model: {library.LGBM_GetLastError().decode(errors='replace')}.")


@lru_cache(maxsize=1)
def _library() -> Any:
    package = find_spec("lightgbm")  # finds it, and imports nothing of it
    if package is None or package.origin is None:
        raise ConfigurationError("LightGBM is not installed, and this model has trees.")
    path = Path(package.origin).parent / "lib" / "lib_lightgbm.so"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ConfigurationError(f"LightGBM's library cannot be loaded: {error}.") from error
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    integer = ctypes.c_int32
    library.LGBM_BoosterPredictForMat.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, integer, integer, ctypes.c_int, ctypes.c_int, ctypes.c_int,
        ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p,
    ]  # fmt: skip
    library.LGBM_BoosterFree.argtypes = [ctypes.c_void_p]
    return library
