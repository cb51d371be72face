"""What a run says of its own figures beside the server's, and somebody else who asks the same server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from llmload.serving import Check
from llmload.store.database import open_existing
from llmload.store.judgement import judged


@dataclass(frozen=True, slots=True)
class TwoSides:
    """The checks of the only step of a run, and what was found of it: the cause of each finding, by its kind."""

    checks: tuple[Check, ...]
    causes: Mapping[str, str]

    @property
    def figures(self) -> set[str]:
        """What both sides tell."""
        return {check.figure for check in self.checks}

    @property
    def disagreeing(self) -> set[str]:
        """In what they differ."""
        return {check.figure for check in self.checks if not check.agrees}

    def told_ms(self, kind: str) -> float:
        """The first time in ms that the cause names."""
        found = re.search(r"([\d.,]+) ?ms", self.causes[kind])
        assert found, self.causes[kind]
        return float(found[1].replace(",", ""))


def read_sides(directory: Path) -> TwoSides:
    """Of the run stored in `directory`, judged again from what is stored."""
    with open_existing(directory / "runs.db") as store:
        result = judged(store, store.find("latest"))
    [step] = result.steps
    return TwoSides(step.checks, {found.kind: found.cause for found in result.findings})


@contextmanager
def another_client(url: str, body: Mapping[str, object], connections: int = 2) -> Iterator[None]:
    """Somebody who sends the same request over and over, from before the block to after it."""
    is_over = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not is_over.is_set():
                client.post(url, json=body).raise_for_status()

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
