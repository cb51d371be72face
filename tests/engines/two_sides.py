"""What a run says of its own figures and the server's side by side, and somebody else who asks the same server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True, slots=True)
class Sides:
    """Each figure as client and server have it, in the order of the report; and what was found, by kind."""

    figures: Mapping[str, tuple[float, float]]
    disagreeing: tuple[str, ...]
    findings: Mapping[str, str]


def read_sides(directory: Path, name: str = "chat") -> Sides:
    """The only step of the run that was made in `directory`; findings as one text: what, both figures, cause."""
    result = json.loads((directory / "reports" / name / "result.json").read_text())
    [step] = result["steps"]
    return Sides(
        {check["figure"]: (check["client"], check["server"]) for check in step["checks"]},
        tuple(check["figure"] for check in step["checks"] if not check["agrees"]),
        {
            found["kind"]: ": ".join((found["subject"], found["expected"], found["actual"], found["cause"]))
            for found in result["findings"]
        },
    )


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
