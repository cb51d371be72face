"""An existing Ray cluster as a place for workers. Never starts or stops a cluster, only actors of its own."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, TracebackType
from typing import Self

from llmload.errors import ClusterError, UsageError
from llmload.load.ray_worker import RayWorker, told_as_ours

_WHERE = "load.address"
_AUTO = "auto"  # the cluster that runs on this machine
_HOST_AND_PORT = re.compile(r"(?P<host>[^/:\s]+|\[[^\s]+\]):(?P<port>\d{1,5})")
_CONNECT_S = 5.0
_JOIN = "This machine must be a node of the cluster: `ray start --address=HEAD:6379 --num-cpus=0` makes it one"
_SETTINGS = 4  # the type of the frame that an HTTP/2 server sends first
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])


class RayCluster:
    """The cluster at `address` (None = the one that Ray finds by itself), for as long as its `with` block lasts."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._cpus = 0
        self._hired: list[RayWorker] = []

    def __enter__(self) -> Self:
        ray = _imported()
        _connect(self._address)
        with told_as_ours(_WHERE):
            self._cpus = int(ray.available_resources().get("CPU", 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        ray.shutdown()  # our connection only

    @property
    def cpus(self) -> int:
        """CPUs that nobody had reserved when we connected."""
        return self._cpus

    @property
    def about(self) -> str:
        """Which machines those CPUs are of."""
        return f"; on a Ray cluster, where {self._cpus} CPUs were free"

    def hire(self) -> RayWorker:
        """One more worker, on the next node in turn; ClusterError where no CPU is left for it."""
        at_work = sum(not worker.is_stopped for worker in self._hired)
        if at_work >= self._cpus:
            raise ClusterError(
                _WHERE,
                f"worker {at_work + 1} has no CPU: the cluster had {self._cpus} free ones, and each takes one",
                "Lower load.workers, or add nodes",
            )
        self._hired.append(RayWorker())
        return self._hired[-1]

    def check(self, connections: int, workers: int) -> None:
        """Nothing that is known here: each node looks at its own limits when a worker on it takes its window."""


def _imported() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise UsageError("load.engine", "engine: ray needs Ray", "pip install 'llmload[ray]'") from None
    return ray


def _connect(address: str | None) -> None:
    import ray

    wanted = address or os.environ.get("RAY_ADDRESS") or _AUTO
    if wanted != _AUTO:
        _check_address(wanted)
    try:
        with _own_signal_handlers(), told_as_ours(_WHERE):
            ray.init(address=wanted, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        told = " ".join(str(error).split()).rstrip(".")
        remedy = "Run the same versions here and on every node" if "ersion mismatch" in told else _JOIN
        raise _refusal(wanted, told, remedy) from None


def _check_address(address: str) -> None:
    """Ask for what every Ray head answers at once; Ray itself would try a wrong address for two minutes."""
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        raise UsageError(
            _WHERE,
            f"{address!r} is no address of a cluster's head",
            "Write host:port as `ray status` shows it, such as 10.0.0.7:6379, and no ray:// or http://",
        )
    try:
        with socket.create_connection((match["host"].strip("[]"), int(match["port"])), _CONNECT_S) as head:
            head.sendall(_PREFACE)
            answer = head.recv(9, socket.MSG_WAITALL)
    except OSError as error:
        raise _refusal(address, str(error), _JOIN) from None
    if len(answer) < 9 or answer[3] != _SETTINGS:
        raise _refusal(address, "something other than Ray answers", "The port of a head is 6379 unless it was changed")


def _refusal(address: str, problem: str, remedy: str) -> ClusterError:
    return ClusterError(_WHERE, f"no Ray cluster can be used at {address}: {problem}", remedy)


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Ray takes SIGTERM for itself while it connects; ours come back."""
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
