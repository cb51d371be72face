"""Reasoning that a server leaves inside the answer, as it does where it was started without a parser for it."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class Unreasoned:
    """Takes `<think>...</think>` and white space off the front of an answer; where its pieces are cut changes nothing.

    `is_thinking` while the reasoning goes on.
    """

    def __init__(self) -> None:
        self._held, self._is_decided = "", False
        self.is_thinking = False

    def feed(self, piece: str) -> str:
        """What of the answer is known to be none of its reasoning, and was not told before."""
        if self._is_decided:
            return piece
        self._held = (self._held + piece).lstrip()
        if not self.is_thinking:
            if self._held.startswith(_OPEN):
                self.is_thinking, self._held = True, self._held.removeprefix(_OPEN)
            elif not _OPEN.startswith(self._held):
                self._is_decided = True
                return self.rest()
        if self.is_thinking:
            _, mark, after = self._held.partition(_CLOSE)
            if mark:
                self.is_thinking, self._is_decided, self._held = False, True, ""
                return after
            self._held = self._held[1 - len(_CLOSE) :]  # the mark may have begun
        return ""

    def rest(self) -> str:
        """What was held back, at the end of the answer: nothing of a reasoning that never ended."""
        held, self._held = self._held, ""
        return "" if self.is_thinking else held
