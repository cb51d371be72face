"""What is wrong with one row of a file."""

from __future__ import annotations


class BadRowError(ValueError):
    """What is wrong with one row, in words that follow its place."""


def shown(value: object) -> str:
    """A value as a message shows it: short, and "missing" where there is none."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
