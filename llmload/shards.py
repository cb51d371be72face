"""Shares of work: `2/4` is the second of four jobs, and what there is to do is dealt out among them like cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from llmload.errors import UsageError

_SHARD = re.compile(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})")

Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th (from 1) of `count` jobs."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def suffix(self) -> str:
        """What makes the name of an artifact one of this shard, such as `-2-of-4`."""
        return f"-{self.number}-of-{self.count}"

    def of(self, items: Sequence[Each]) -> Sequence[Each]:
        """Its share, in their order: neighbours go to different jobs; empty where there are fewer items than jobs."""
        return items[self.number - 1 :: self.count]


def shard_named(where: str, text: str) -> Shard:
    """The shard that `I/N` names; UsageError, at `where` of the command line, for text that is none."""
    found = _SHARD.fullmatch(text)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or shard.number > shard.count:
        raise UsageError(where, f"{text!r} is no shard", "Write I/N with I from 1 to N, such as 2/4, or leave it out")
    return shard
