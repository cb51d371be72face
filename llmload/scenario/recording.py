"""Requests that were recorded elsewhere, in columns: light enough to travel to every worker."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

BLOCK_TOKENS = 512
"""Prompt tokens that one block id stands for, as in Mooncake's traces."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The requests of a trace in order of arrival, a column each.

    `at_ns` counts from the first request, as recorded. The block ids of row i are those from `block_ends[i - 1]` to
    `block_ends[i]`; a trace without them has none at all.
    """

    at_ns: array[int]
    input_tokens: array[int]
    output_tokens: array[int]
    block_ids: array[int]
    block_ends: array[int]
    sha256: str
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.at_ns)

    @property
    def has_blocks(self) -> bool:
        """Whether the trace tells which prompts begin alike."""
        return len(self.block_ids) > 0

    def level(self, speed: float) -> float:
        """Requests per second on average at `speed`: what the default warm-up goes by, hence never half of them all."""
        seconds, half = self.at_ns[-1] / speed / 1e9, len(self) / 2
        return min(half, (len(self) - 1) / seconds) if seconds > 0 else half

    def blocks(self, row: int) -> array[int]:
        """The block ids of one row, first block first."""
        return self.block_ids[self.block_ends[row - 1] if row else 0 : self.block_ends[row]]

    def repeated_tokens(self, rows: int) -> int:
        """Prompt tokens of the first `rows` requests that lie in a block which an earlier one of them had too."""
        seen: set[int] = set()
        repeated = 0
        for row in range(rows):
            left = self.input_tokens[row]
            for block in self.blocks(row):
                if block in seen:
                    repeated += min(BLOCK_TOKENS, left)
                seen.add(block)
                left -= BLOCK_TOKENS
        return repeated
