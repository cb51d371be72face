"""Engines in real time: one timer per step and replica, and the router in front of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

from llmload.simulator.engine import Batch, Engine, Generation
from llmload.simulator.profiles import Machine
from llmload.simulator.truth import Ledger


class Listener(Protocol):
    """Whoever waits for the tokens of one generation."""

    def emit(self) -> None:
        """One more token is due on the wire."""


OnBatch = Callable[[int, Batch], None]


class Replica:
    """One engine with its timer. A step that could not be delivered in time does not delay the model's next one."""

    def __init__(self, number: int, engine: Engine, ledger: Ledger, on_batch: OnBatch) -> None:
        self.number, self.engine = number, engine
        self._ledger, self._on_batch = ledger, on_batch
        self._listeners: dict[Generation, Listener] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def load(self) -> int:
        """Requests running and waiting."""
        return len(self._listeners)

    def submit(self, generation: Generation, listener: Listener) -> None:
        """Queue a request; `listener.emit` is called once for each of its tokens."""
        self._listeners[generation] = listener
        self.engine.submit(generation)
        if self._timer is None:
            self._arm()

    def cancel(self, generation: Generation) -> None:
        """Forget a request; harmless after its end."""
        if self._listeners.pop(generation, None) is not None:
            self.engine.cancel(generation)

    def stop(self) -> None:
        """No more steps."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        """Wake when the step ends, never before: event loops count whole milliseconds, so round up."""
        due_ns = self.engine.due_ns
        if due_ns is None:
            self._timer = None
            return
        delay_ms = max(0, math.ceil((due_ns - time.monotonic_ns()) / 1e6))
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1e3, self._fire)

    def _fire(self) -> None:
        """Deliver one step; a second overdue one waits its turn, so that arrivals are read in between."""
        now_ns, due_ns = time.monotonic_ns(), self.engine.due_ns
        if due_ns is not None and due_ns <= now_ns:
            batch = self.engine.finish_step()
            listeners = self._listeners
            for generation in batch.advanced:
                listener = listeners.get(generation)
                if listener is None:
                    continue
                if generation.generated >= generation.output_tokens:
                    del listeners[generation]
                listener.emit()
            self._ledger.add_step(now_ns - batch.ended_ns, time.monotonic_ns() - batch.ended_ns)
            self._on_batch(self.number, batch)
        self._arm()


class Router:
    """N replicas behind one address: the least loaded takes the next request, the first of equals."""

    def __init__(
        self, machine: Machine, replicas: int, *, has_prefix_cache: bool, ledger: Ledger, on_batch: OnBatch
    ) -> None:
        self.replicas = [
            Replica(number, Engine(machine, has_prefix_cache), ledger, on_batch) for number in range(replicas)
        ]

    def choose(self) -> Replica:
        """Who takes the next request."""
        return min(self.replicas, key=lambda replica: replica.load)

    def stop(self) -> None:
        """No more steps anywhere."""
        for replica in self.replicas:
            replica.stop()
