"""The same work by other load tools, each in its own environment, against a server whose truth is known.

    python -m tests.bench.peers [NAME ...]

500 streams x 50 tokens/s, TTFT 200 ms, no warm-up; every tool on one core and the server on the other. A tool lives in
the virtual environment `.peers/NAME` (`make peers` makes them), or where PEERS_GUIDELLM, PEERS_AIPERF or PEERS_VLLM
say. One that is not installed is a row that says so. Prints its table and writes bench-peers.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from time import monotonic, monotonic_ns, sleep

from llmload import __version__
from tests.bench.commands import PEERS, TOOLS, Reported, Tool
from tests.bench.processes import family_cpu_ns
from tests.bench.served import CLIENT_CORE, ROOT, served
from tests.bench.streams import FIRST_MS, GAP_MS, STREAMS, TOKENS
from tests.bench.tokenizer import make_tokenizer_folder
from tests.bench.truth import Steady, Truth, steady

REQUESTS = 3 * STREAMS
_LOOK_EVERY_S = 0.25
_PATIENCE_S = 400.0
_HEADINGS = (
    "tool",
    "TTFT p50",
    "TTFT p99",
    "TPOT p50",
    "TPOT p99",
    "ITL p50",
    "ITL p99",
    "streams",
    "events/s",
    "CPU/event",
)


class NotMeasuredError(Exception):
    """A tool that gave no figures, and why."""


def environment_of(tool: Tool) -> Path:
    """Where a tool is, or would be, installed."""
    return Path(os.environ.get(f"PEERS_{tool.name.upper()}", ROOT / ".peers" / tool.name))


def version_of(tool: Tool) -> str:
    """Which release of a tool is installed."""
    if tool not in PEERS:
        return __version__
    asking = f"from importlib.metadata import version; print(version({tool.name!r}))"
    program = environment_of(tool) / "bin" / "python"
    return subprocess.run([program, "-c", asking], capture_output=True, text=True, check=True).stdout.strip()


def compare(tool: Tool) -> tuple[Reported, Truth, Steady, float]:
    """What a tool says of the work, what the server knows of it, its steady state, and CPU µs per event in it."""
    with tempfile.TemporaryDirectory() as name, served(FIRST_MS, TOKENS, GAP_MS) as server:
        folder = Path(name)
        make_tokenizer_folder(folder / "tokenizer")
        program = environment_of(tool) / "bin" / tool.program
        if tool in PEERS and not program.exists():
            raise NotMeasuredError("not installed")
        command = tool.command(program, server.url, folder, STREAMS, REQUESTS)
        marks = _run(command, {**os.environ, **tool.environment}, folder)
        try:
            reported = tool.read(folder)
        except (OSError, KeyError, ValueError, TypeError) as error:
            words = (folder / "output").read_text(errors="replace")[-1500:]
            raise NotMeasuredError(f"no figures ({type(error).__name__}: {error})\n{words}") from None
    during = steady(server.truth)
    events = during.events_per_s * (during.to_ns - during.from_ns) / 1e9
    return reported, Truth.of(server.truth), during, _cpu_ns(marks, during) / events / 1000


def _run(command: Sequence[str], environment: dict[str, str], folder: Path) -> list[tuple[int, int]]:
    """A command on the client's core to its end; how much CPU its processes had used by when."""
    marks = []
    with (
        (folder / "output").open("w") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        os.sched_setaffinity(process.pid, {CLIENT_CORE})  # before it starts anything, which then stays there as well
        give_up = monotonic() + _PATIENCE_S
        while process.poll() is None:
            if monotonic() > give_up:
                os.killpg(process.pid, 9)
                raise NotMeasuredError(f"not done after {_PATIENCE_S:g} s")
            marks.append((monotonic_ns(), family_cpu_ns(process.pid)))
            sleep(_LOOK_EVERY_S)
    return marks


def _cpu_ns(marks: Sequence[tuple[int, int]], during: Steady) -> float:
    """CPU time between the two instants of the steady state, between marks in proportion."""
    return _at(marks, during.to_ns) - _at(marks, during.from_ns)


def _at(marks: Sequence[tuple[int, int]], instant: int) -> float:
    for (before, low), (after, high) in pairwise(marks):
        if before <= instant <= after:
            return low + (high - low) * (instant - before) / (after - before)
    return float(marks[-1][1])


# ---------------------------------------------------------------- telling


def cells(tool: Tool, reported: Reported, truth: Truth, during: Steady, cpu_us: float) -> tuple[str, ...]:
    """A row: each figure as the tool told it, and in brackets what the server knows of the same run."""
    pairs = (
        (reported.ttft_p50, truth.ttft_p50),
        (reported.ttft_p99, truth.ttft_p99),
        (reported.tpot_p50, truth.tpot_p50),
        (reported.tpot_p99, truth.tpot_p99),
        (reported.itl_p50, truth.itl_p50),
        (reported.itl_p99, truth.itl_p99),
    )
    told = [f"{'-' if said is None else f'{said:.1f}'} ({known:.1f})" for said, known in pairs]
    return (
        f"{tool.name} {version_of(tool)}",
        *told,
        f"{during.streams:.0f}",
        f"{during.events_per_s:,.0f}",
        f"{cpu_us:.0f} µs",
    )


def main() -> None:
    """Every tool in turn, ourselves first."""
    asked = sys.argv[1:]
    rows: list[tuple[str, ...]] = [_HEADINGS]
    documents: list[dict[str, object]] = []
    for tool in TOOLS:
        if asked and tool.name not in asked:
            continue
        try:
            figures = compare(tool)
        except NotMeasuredError as reason:
            because, _, details = str(reason).partition("\n")
            print(details, file=sys.stderr)
            rows.append((tool.name, because, *[""] * (len(_HEADINGS) - 2)))
            documents.append({"tool": tool.name, "because": because})
            continue
        rows.append(cells(tool, *figures))
        reported, truth, during, cpu_us = figures
        told = {"reported": asdict(reported), "truth": asdict(truth), "steady": asdict(during)}
        documents.append({"tool": tool.name, "version": version_of(tool), **told, "cpu_us_per_event": cpu_us})
    print(f"{STREAMS} streams x {1000 // GAP_MS} tokens/s, {REQUESTS} requests; ms as told (as the server knows)")
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    Path("bench-peers.json").write_text(json.dumps(documents, indent=2) + "\n")


if __name__ == "__main__":
    main()
