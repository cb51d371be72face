"""The paced server in a process of its own, pinned to its core, and the truth it leaves behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = _CORES[0], _CORES[-1]


@dataclass
class Served:
    """A paced server that runs; its truth is there once it has stopped."""

    url: str
    pid: int
    truth: dict[bytes, Sequence[int]]
    late_ns: Sequence[int] = ()


@contextmanager
def served(first_ms: int, tokens: int, gap_ms: int) -> Iterator[Served]:
    """A paced server for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth"
        numbers = [str(first_ms), str(tokens), str(gap_ms)]
        command = [sys.executable, "-m", "tests.bench.paced_server", str(path), *numbers]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
            os.sched_setaffinity(server.pid, {SERVER_CORE})
            assert server.stdout is not None
            served = Served(server.stdout.readline().strip(), server.pid, {})
            try:
                yield served
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait()
        served.truth, served.late_ns = pickle.loads(path.read_bytes())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
