"""A real Ray cluster of several nodes on this machine, started as people start one: with `ray start`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.command import UNCOVERED

_ROOT = Path(__file__).parents[2]
_WITH_US = ["setpriv", "--pdeathsig", "TERM"]  # tests that are killed leave no cluster behind
_RAY = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--object-store-memory", str(80 * 2**20)]
_AHEAD = ["unshare", "--map-root-user", "--time", "--monotonic", "3600"]


@dataclass(frozen=True, slots=True)
class Nodes:
    """A running cluster: where it is, where it logs, and how far the clock of its last node is ahead of ours.

    `pids` lead the process groups of the nodes.
    """

    address: str
    logs: Path
    ahead_ns: int
    pids: tuple[int, ...]

    def cut_power(self, node: int) -> None:
        """Everything on a node dies at once; the first one is the head, and the one that the driver is connected to."""
        os.killpg(self.pids[node], signal.SIGKILL)


@contextmanager
def ray_nodes(*, cpus: int = 1, nodes: int = 2, env: Mapping[str, str] | None = None) -> Iterator[Nodes]:
    """A cluster for as long as the block lasts. The last of several nodes lives one hour ahead, by its own monotonic
    clock, where the kernel lets us make such a node.
    """
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:  # short: sockets live in it
        whole_env = {**UNCOVERED, "PYTHONPATH": str(_ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder}
        whole_env |= env or {}
        address = f"127.0.0.1:{_free_port()}"
        ahead = _AHEAD if nodes > 1 and _can_be_ahead() else []
        head = ["--head", "--port", address.rsplit(":")[1], "--include-dashboard", "false"]
        commands = [[*_RAY, *head]] + [[*_RAY, "--address", address]] * (nodes - 1)
        commands[-1][:0] = ahead
        started: list[subprocess.Popen[bytes]] = []
        try:
            for place, command in enumerate(commands):
                with (Path(folder) / f"start-{place}").open("wb") as output:
                    started.append(
                        subprocess.Popen(
                            [*_WITH_US, *command, "--num-cpus", str(cpus)],
                            env=whole_env,
                            cwd=_ROOT,
                            stdout=output,
                            stderr=output,
                            start_new_session=True,
                        )
                    )
                _wait_for(Path(folder) / f"start-{place}")
            yield Nodes(address, Path(folder), 3600 * 10**9 if ahead else 0, tuple(p.pid for p in started))
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                with suppress(subprocess.TimeoutExpired):  # a node without its head does not hear us
                    process.wait(10)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _can_be_ahead() -> bool:
    return subprocess.run([*_AHEAD, "true"], capture_output=True, check=False).returncode == 0


def _wait_for(output: Path) -> None:
    until = time.monotonic() + 60
    while b"Ray runtime started" not in output.read_bytes():
        assert time.monotonic() < until, output.read_text()
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
