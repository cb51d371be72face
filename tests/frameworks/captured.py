"""Bodies of captured replies."""

from __future__ import annotations

from pathlib import Path

CAPTURES = Path(__file__).parent.parent / "captures"


def body_of(name: str) -> bytes:
    """The body of a capture, without its head; a `.prom` has none."""
    raw = (CAPTURES / name).read_bytes()
    if name.endswith(".prom"):
        return raw
    return raw[raw.index(b"HTTP/1.1 ") :].replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip()
