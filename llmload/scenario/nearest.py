"""What the author probably meant by a name we do not know."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint for an unknown name: the nearest known one, and all of them."""
    choices = sorted(known)
    if not choices:
        return "Delete it; nothing can stand here"
    near = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.6)
    listed = ", ".join(choices)
    return f"Did you mean {near[0]}? Known: {listed}" if near else f"Use one of: {listed}"
