"""A worker on a node of a Ray cluster.

Ray only places and forwards: an actor on the node owns an ordinary worker process there (`child.py`), so that none of
Ray's threads can delay a stamp. What crosses the cluster is the window there, a few live numbers now and then, and one
message per window back. Windows travel as pickled bytes, so that the secrets in them are nothing that Ray could print.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, cast

from llmload import __version__
from llmload.domain import Observation
from llmload.errors import ClusterError, LlmloadError, UsageError
from llmload.load.child import Child
from llmload.load.clock import SAME, Clock, Round, estimate
from llmload.load.crew import surely_open
from llmload.load.handover import read_observation
from llmload.load.limits import check, limits_here
from llmload.load.live import Cell
from llmload.load.node import Node, is_loopback, this_node
from llmload.load.sender import sender_for
from llmload.load.window import Window

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

_ROUNDS = 40
_CALL_S = 30.0  # to start an actor, or to hand a window over
_SILENCE_S = 10.0  # a node that has not answered for so long is lost
_STOP_S = 4.0  # the worker process itself is given 2 s
_INSTALL = f"Install llmload=={__version__} in the Python that Ray runs on every node"

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")

# ---------------------------------------------------------------- on the node


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an actor says of itself first."""

    version: str
    node: Node
    ray_node: str  # Ray's own id of it: several nodes may share a name
    pid: int  # of the worker process


@dataclass(frozen=True, slots=True)
class Glance:
    """How a worker process stands: its live numbers as one block, and whether it has observed its window or died."""

    numbers: bytes
    is_done: bool
    trouble: str | None


class LlmloadHost:
    """The owner of one worker process on its node. A Ray actor; several of its calls run at a time."""

    def __init__(self) -> None:
        self._child = Child()
        self._frames: tuple[bytes, bytes] | None = None

    def introduce(self) -> Introduction:
        """Who answers here."""
        import ray

        ray_node: str = ray.get_runtime_context().get_node_id()
        return Introduction(__version__, this_node(), ray_node, self._child.pid)

    def now(self) -> int:
        """The monotonic clock of this machine."""
        return monotonic_ns()

    def send(self, packed: bytes) -> str | None:
        """Hand a pickled window over; the words of what stands against it."""
        window: Window = pickle.loads(packed)  # noqa: S301 - from our own driver
        try:
            sender_for(window.endpoint)  # a CA file that is missing here would end the worker
            check(window.shard.count(surely_open(window)), 1, limits_here())
            self._child.send(window)
        except LlmloadError as error:
            return error.problem
        return None

    def glance(self) -> Glance:
        """How it stands now. Never two at a time."""
        trouble = None
        try:
            self._frames = self._frames or self._child.receive_packed()
        except LlmloadError as error:
            trouble = error.problem
        return Glance(array("q", self._child.read()).tobytes(), self._frames is not None, trouble)

    def write(self, cell: int, value: int) -> None:
        """Set one of its live numbers."""
        self._child.write(Cell(cell), value)

    def hand_over(self) -> tuple[bytes, bytes]:
        """The observation, packed as it came; once a glance found it done."""
        frames, self._frames = self._frames, None
        assert frames is not None  # noqa: S101 - the glance did
        return frames

    def stop(self) -> None:
        """End the worker process."""
        self._child.stop()


# ---------------------------------------------------------------- on our side


class RayWorker:
    """One worker on a node of the cluster that this process is connected to; ClusterError when it cannot be had."""

    def __init__(self) -> None:
        self._host = _start_host()
        self._place = "load.engine: ray"
        try:
            said = self._answer(self._ask(LlmloadHost.introduce))
            self._pid, self._node, self.ray_node = said.pid, said.node, said.ray_node
            self._place = f"node {said.node.name} ({said.ray_node[:8]})"
            if said.version != __version__:
                raise self._trouble(f"has llmload {said.version}, and this is {__version__}", _INSTALL)
            self._before = self._clock = self._clock_now()
        except BaseException:
            self._kill()
            raise
        self._numbers: Sequence[int] = ()
        self._glance: ObjectRef[Glance] | None = None
        self._glanced_s = 0.0
        self._frames: ObjectRef[tuple[bytes, bytes]] | None = None
        self.is_stopped = False

    @property
    def pid(self) -> int:
        """The worker's process id, on its node."""
        return self._pid

    @property
    def node(self) -> str:
        """The host name of its node; "" where clock and network are ours, as on this machine."""
        here = this_node()
        is_ours = self._node.shares_loopback(here) and self._clock == SAME
        return "" if is_ours else self._node.name

    @property
    def clock(self) -> Clock:
        """Its clock over the last window, or since it began where there was none; its drift is part of the error."""
        return self._clock

    def estimate_clock(self) -> Clock:
        """Its clock against ours, by asking alone."""
        rounds = []
        for _ in range(_ROUNDS):
            asked_ns = monotonic_ns()
            theirs_ns = self._answer(self._ask(LlmloadHost.now))
            rounds.append(Round(asked_ns, theirs_ns, monotonic_ns()))
        return estimate(rounds)

    def send(self, window: Window) -> None:
        """Hand a window over; UsageError where the worker's node would take the URL for itself."""
        check_reachable(window.endpoint.url, self._node, this_node())
        if self._glance is not None:
            self._answer(self._glance)  # it may still be on its way, and is about the window before
        packed = pickle.dumps(window, protocol=pickle.HIGHEST_PROTOCOL)
        trouble = self._answer(self._ask(LlmloadHost.send, packed))
        if trouble is not None:
            raise self._trouble(f"cannot take a window: {trouble}", "Mend it there, or leave that node out")
        self._before = self._clock = self._clock_now()
        self._frames = None
        self._numbers = self._seen(self._answer(self._look()))

    def read(self) -> Sequence[int]:
        """Its live numbers, as old as the way from the node is long."""
        if self._glance is None:
            self._look()
        elif self._has_come(self._glance):
            self._numbers = self._seen(self._answer(self._glance))
            self._look()
        elif monotonic() - self._glanced_s > _SILENCE_S:
            raise self._silence(_SILENCE_S)
        return self._numbers

    def write(self, cell: Cell, value: int) -> None:
        """Set one of its live numbers, as soon as that gets there."""
        self._ask(LlmloadHost.write, int(cell), value)

    def receive(self) -> Observation | None:
        """What it observed, by its own clock; None while it is not here. ClusterError when it or its node died."""
        if self._frames is None or not self._has_come(self._frames):
            return None
        packed, events = self._answer(self._frames)
        self._clock = self._before.joined(self._clock_now())
        return read_observation(packed, events)

    def stop(self) -> None:
        """End it, whatever it does, and its actor."""
        with suppress(ClusterError):  # it is gone already, or cannot be told
            self._answer(self._ask(LlmloadHost.stop), _STOP_S)
        self._kill()
        self.is_stopped = True

    # ------------------------------------------------------------ asking

    def _look(self) -> ObjectRef[Glance]:
        self._glance, self._glanced_s = self._ask(LlmloadHost.glance), monotonic()
        return self._glance

    def _seen(self, glance: Glance) -> Sequence[int]:
        if glance.trouble is not None:
            remedy = "Its last words are in Ray's logs on that node; after signal 9, look for a lack of memory there"
            raise self._trouble(glance.trouble, remedy)
        if glance.is_done and self._frames is None:
            self._frames = self._ask(LlmloadHost.hand_over)
        return array("q", glance.numbers)

    def _clock_now(self) -> Clock:
        """As it is asked for; but exactly ours on a machine that shares it. Restored copies of one share every sign
        of it and not the clock, which only the asking tells.
        """
        clock = self.estimate_clock()
        is_ours = self._node.shares_clock(this_node()) and clock.admits(SAME.offset_ns)
        return SAME if is_ours else clock

    def _ask(self, method: Callable[[LlmloadHost, *_Arguments], _T], *arguments: *_Arguments) -> ObjectRef[_T]:
        asked: ObjectRef[_T] = getattr(self._host, method.__name__).remote(*arguments)
        return asked

    def _answer(self, ref: ObjectRef[_T], within_s: float = _CALL_S) -> _T:
        import ray

        try:
            with told_as_ours(self._place):
                return ray.get(ref, timeout=within_s)
        except TimeoutError:
            raise self._silence(within_s) from None

    def _has_come(self, ref: ObjectRef[_T]) -> bool:
        import ray

        with told_as_ours(self._place):
            return bool(ray.wait([ref], timeout=0)[0])

    def _kill(self) -> None:
        import ray

        with suppress(ClusterError), told_as_ours(self._place):
            ray.kill(self._host)

    # ------------------------------------------------------------ what went wrong

    def _trouble(self, problem: str, remedy: str) -> ClusterError:
        return ClusterError(self._place, problem, remedy)

    def _silence(self, seconds: float) -> ClusterError:
        problem = "has not answered" if self._place.startswith("node") else "no node has started a worker"
        remedy = "Look at `ray status`: every worker needs a CPU that is free, and the network must be sound"
        return self._trouble(f"{problem} for {seconds:.0f} s", remedy)


def check_reachable(url: str, node: Node, here: Node) -> None:
    """UsageError where a URL means this machine to us, and to a worker on `node` another one."""
    if is_loopback(url) and not node.shares_loopback(here):
        raise UsageError(
            "target.url",
            f"{url} means this machine here, and {node.name} to the worker on that node",
            "Name the server by an address that every node can reach; the simulator needs load.engine: local",
        )


def _start_host() -> ActorHandle[LlmloadHost]:
    import ray

    placed = ray.remote(LlmloadHost).options(num_cpus=1, max_concurrency=4, scheduling_strategy="SPREAD")
    return cast("ActorHandle[LlmloadHost]", placed.remote())


@contextmanager
def told_as_ours(where: str) -> Iterator[None]:
    """Turn what Ray raises into a ClusterError. TimeoutError goes on: only who waited knows for what."""
    import ray.exceptions

    try:
        yield
    except ray.exceptions.GetTimeoutError:
        raise TimeoutError from None
    except ray.exceptions.RayError as error:
        raise ClusterError(where, *_explained(str(error))) from None


def _explained(told: str) -> tuple[str, str]:
    """What is wrong and what to do, from Ray's own many lines."""
    if "No module named 'llmload" in told or "cannot import name" in told:
        return "a node has no llmload, or another version of it", _INSTALL
    last = next((line.strip() for line in reversed(told.splitlines()) if line.strip()), "no reason given")
    return (
        f"the worker's actor or its node died: {last.rstrip('.')}",
        "Look at `ray status` and Ray's logs on that node",
    )
