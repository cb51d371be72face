"""Images of coloured cells, drawn by a number: the same bytes on every machine, and hardly any work for each request.

An image is a stack of bands, each of them one of 256 that are made once; its number decides which. A band is a piece of
a deflate stream (RFC 1951) that ends at a byte, so that bands are joined as they are. The stream is written here and
not by zlib, whose versions differ in their bytes.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, shake_128

_BANDS = 256
_CELL = 16  # pixels; eight cells or more where the image is smaller
_STRIDE = 0x9E3779  # odd, so that its multiples meet all of 256^3
_ADLER = 65521  # RFC 1950
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END_OF_PIECE = b"\x00\x00\xff\xff"
_LENGTHS = (
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    13,
    15,
    17,
    19,
    23,
    27,
    31,
    35,
    43,
    51,
    59,
    67,
    83,
    99,
    115,
    131,
    163,
    195,
    227,
)
_LONGEST_MATCH = 258


@dataclass(frozen=True, slots=True)
class _Band:
    """Some rows of pixels: compressed, with the checksum and the length of what they are uncompressed."""

    piece: bytes
    adler: int
    length: int


def noise_url(window: bytes, number: int, width: int, height: int) -> str:
    """The `number`-th image of a window, as a data URL of a PNG with 8 bits for each of red, green and blue.

    `window` (at least six bytes that stand for it) shifts them all. No two of the first 256^3 of a window are alike,
    where there are three bands or more, as there are from 8 pixels of height on, the least that is made.
    """
    return "data:image/png;base64," + b64encode(noise_png(window, number, width, height)).decode("ascii")


def noise_png(window: bytes, number: int, width: int, height: int) -> bytes:
    """The image as a file; see `noise_url`."""
    size = _cell_of(height)
    count, rest = divmod(height, size)
    chosen = _choice(window, number, count + 1)
    bands = [_bands(width, size)[each] for each in chosen[:count]]
    if rest:
        bands.append(_bands(width, rest)[chosen[count]])
    adler = 1
    for band in bands:
        adler = _joined(adler, band.adler, band.length)
    stream = b"".join((b"\x78\x01", *(band.piece for band in bands), b"\x03\x00", adler.to_bytes(4)))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", stream), _chunk(b"IEND", b"")))


def _choice(window: bytes, number: int, count: int) -> bytes:
    """Which bands: the first three are the digits of a permutation of the numbers, as in a salt; the others a hash."""
    digits = ((number * _STRIDE + int.from_bytes(window[:3])) % _BANDS**3).to_bytes(3)
    drawn = shake_128(blake2b(number.to_bytes(8), key=window[:64], digest_size=16).digest()).digest(max(0, count - 3))
    return (digits + drawn)[:count]


def _cell_of(side: int) -> int:
    return _CELL if side >= 8 * _CELL else max(1, side // 8)


@lru_cache(maxsize=8)
def _bands(width: int, rows: int) -> tuple[_Band, ...]:
    return tuple(_band(width, rows, number) for number in range(_BANDS))


def _band(width: int, rows: int, number: int) -> _Band:
    """One row of cells in colours of its own; the rows of pixels below the first say that they are like it."""
    cell = _cell_of(width)
    widths = [min(cell, width - start) for start in range(0, width, cell)]
    drawn = shake_128(f"{width}/{number}".encode()).digest(3 * len(widths))
    colours = [drawn[3 * place : 3 * place + 3] for place in range(len(widths))]
    first = b"\x00" + b"".join(colour * pixels for colour, pixels in zip(colours, widths, strict=True))
    raw = first + (b"\x02" + bytes(3 * width)) * (rows - 1)
    stream = _Stream()
    stream.literals(b"\x00")
    for colour, pixels in zip(colours, widths, strict=True):
        stream.literals(colour)
        stream.repeat(3 * (pixels - 1), 3)
    for _ in range(rows - 1):
        stream.literals(b"\x02\x00")
        stream.repeat(3 * width - 1, 1)
    return _Band(stream.ended(), zlib.adler32(raw), len(raw))


class _Stream:
    """A piece of a deflate stream with the fixed codes."""

    def __init__(self) -> None:
        self._value, self._bits = 0b010, 3  # not the last block, fixed codes

    def literals(self, data: bytes) -> None:
        """Bytes as they are."""
        for byte in data:
            self._symbol(byte)

    def repeat(self, length: int, distance: int) -> None:
        """`length` bytes as they were `distance` bytes before, which is 1 or 3."""
        while length >= 3:
            most = min(length, _LONGEST_MATCH)
            taken = most if length - most not in (1, 2) else most - 3
            self._match(taken, distance)
            length -= taken
        if length:
            raise ValueError("what repeats is shorter than three bytes")

    def ended(self) -> bytes:
        """Everything up to a byte boundary, at which another piece may begin."""
        self._symbol(256)
        self._put(0, 3)  # an empty block of stored bytes
        return self._value.to_bytes((self._bits + 7) // 8, "little") + _END_OF_PIECE

    def _match(self, length: int, distance: int) -> None:
        if length == _LONGEST_MATCH:
            self._symbol(285)
        else:
            place = max(place for place, base in enumerate(_LENGTHS) if base <= length)
            self._symbol(257 + place)
            self._put(length - _LENGTHS[place], max(0, place // 4 - 1))
        self._put(_reversed(distance - 1, 5), 5)

    def _symbol(self, symbol: int) -> None:
        """RFC 1951, 3.2.6."""
        if symbol < 144:
            code, bits = 0x30 + symbol, 8
        elif symbol < 256:
            code, bits = 0x190 + symbol - 144, 9
        elif symbol < 280:
            code, bits = symbol - 256, 7
        else:
            code, bits = 0xC0 + symbol - 280, 8
        self._put(_reversed(code, bits), bits)

    def _put(self, value: int, bits: int) -> None:
        self._value |= value << self._bits
        self._bits += bits


def _reversed(code: int, bits: int) -> int:
    return int(f"{code:0{bits}b}"[::-1], 2)


def _joined(first: int, second: int, length: int) -> int:
    """The Adler-32 of two texts together, from that of each and the length of the second (zlib's adler32_combine)."""
    low, high = first & 0xFFFF, first >> 16
    return ((high + (second >> 16) + length * (low - 1)) % _ADLER) << 16 | (low + (second & 0xFFFF) - 1) % _ADLER


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join((len(data).to_bytes(4), kind, data, zlib.crc32(kind + data).to_bytes(4)))
