"""Whole numbers as few bytes: each number's bytes are laid out by significance, then deflated.

The high bytes of gaps in microseconds are nearly all zero, so that each plane of them costs next to nothing and a
gap costs hardly more than its noise (within 1 % of the entropy of a normal one). Any 64-bit number survives.
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

    noise, spread, *rest = np.asarray(numbers, dtype="<i8").view(np.uint8).reshape(-1, 8).T
    # runs and frequencies, no repeated strings: there are none in noise, and looking for them costs bytes and time
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    packed = [deflate.compress(noise.tobytes()), deflate.flush(zlib.Z_SYNC_FLUSH)]  # each with its own frequencies
    packed += [deflate.compress(spread.tobytes()), deflate.flush(zlib.Z_SYNC_FLUSH)]
    packed += [deflate.compress(np.array(rest).tobytes()), deflate.flush()]
    return b"".join(packed)


MOST_NUMBERS = 2**25
"""That one column may hold, which are 256 MB: a few thousand requests of ten thousand events each."""


def unpack(packed: bytes, most: int = MOST_NUMBERS) -> NDArray[np.int64]:
    """The numbers in `packed`, of which there may be so many: a kilobyte from elsewhere can stand for a gigabyte.

    StoreError is left to the caller, who knows the file: zlib.error or ValueError.
    """
    import numpy as np

    inflate = zlib.decompressobj()
    unpacked = inflate.decompress(packed, 8 * most + 1)
    if not inflate.eof:
        raise ValueError(f"it is cut short, or has more than {most:,} numbers")
    planes = np.frombuffer(unpacked, dtype=np.uint8)
    return planes.reshape(8, planes.size // 8).T.copy().view("<i8").reshape(-1).astype(np.int64)
