"""Whole numbers as few bytes: each number's bytes are laid out by significance, then deflated.

The high bytes of gaps in microseconds are nearly all zero, so that each plane of them costs next to nothing and a
gap costs hardly more than its noise. Any 64-bit number survives the round trip.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pack(numbers: Sequence[int] | NDArray[np.int64]) -> bytes:
    """Signed 64-bit numbers, compressed; `unpack` gives them back exactly."""
    import numpy as np

    planes = np.asarray(numbers, dtype="<i8").view(np.uint8).reshape(-1, 8).T
    return zlib.compress(planes.tobytes(), level=1)


def unpack(packed: bytes) -> NDArray[np.int64]:
    """The numbers in `packed`; StoreError is left to the caller, who knows the file: zlib.error or ValueError."""
    import numpy as np

    planes = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
    return planes.reshape(8, planes.size // 8).T.copy().view("<i8").reshape(-1).astype(np.int64)
