"""Pages made one after another, in the order in which they were asked for.

Side by side none of them is made sooner, since one interpreter makes them all; and threads that quarrel about it let
some readers wait many times as long as others. A page that takes long is left to go on beside the next ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")

LONGEST_S = 0.25
"""A turn; most pages take a tenth of it."""


class Turns:
    """The turns of one site, of one event loop."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._turn = asyncio.Lock()  # those who wait get it in their order

    async def take(self, begin: Callable[[], Awaitable[_T]]) -> _T:
        """Begin once it is its turn, which ends when it is done or after a while; what it returns or raises."""
        async with self._turn:
            working = asyncio.ensure_future(begin())
            await asyncio.wait((working,), timeout=self._longest_s)
        return await working
