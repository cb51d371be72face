"""What the simulator did, as it knows it: so that a client's figures can be held against facts.

Instants are `time.monotonic_ns`, which every process of the machine shares, taken just before the write.
Memory is bounded: the last 50,000 requests and the last 65,536 steps; totals count all.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from enum import StrEnum
from hashlib import blake2b
from typing import TypedDict

MAX_REQUESTS = 50_000
MAX_STEPS = 65_536


class Fate(StrEnum):
    """How a request ended, as the server knows it."""

    OK = "ok"
    REFUSED = "refused"  # 4xx: it was the client's fault
    FAILED = "failed"  # one of the faults error and stream_error
    DISCONNECTED = "disconnected"
    STALLED = "stalled"
    MALFORMED = "malformed"
    CANCELLED = "cancelled"  # the client left first
    RESTARTED = "restarted"  # it was under way when the server forgot everything


class RequestTruth(TypedDict):
    """One request. `queue_ns` is the time until the engine took it on; tokens are those really sent.

    `body_hash` (`body_hash` of its body) is what a client finds its own request by.
    """

    request_id: str | None
    body_hash: str
    outcome: str
    fault: str | None
    status: int
    replica: int | None
    arrival_ns: int
    queue_ns: int | None
    first_token_ns: int | None
    last_token_ns: int | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int


def body_hash(body: bytes) -> str:
    """The name of a request body: 64 bits of its BLAKE2b hash, in hexadecimal."""
    return blake2b(body, digest_size=8).hexdigest()


class Spread(TypedDict):
    """Milliseconds; all 0 when nothing happened yet. `max` covers all, the percentiles the steps remembered."""

    p50: float
    p99: float
    max: float


class Lateness(TypedDict):
    """How late steps were against the model: `fired_ms` when their turn came, `written_ms` after the last write."""

    steps: int
    fired_ms: Spread
    written_ms: Spread


class Truth(TypedDict):
    """The answer of GET /truth."""

    requests: list[RequestTruth]
    forgotten: int
    totals: dict[str, int]
    restarts: int
    in_flight: int
    lateness: Lateness


class _Late:
    """The last lateness figures in a ring, and the greatest of all."""

    def __init__(self) -> None:
        self.count = 0
        self._ring = array("q")
        self._max_ns = 0

    def add(self, late_ns: int) -> None:
        self._max_ns = max(self._max_ns, late_ns)
        if self.count < MAX_STEPS:
            self._ring.append(late_ns)
        else:
            self._ring[self.count % MAX_STEPS] = late_ns
        self.count += 1

    def spread(self) -> Spread:
        if not self._ring:
            return Spread(p50=0.0, p99=0.0, max=0.0)
        ordered = sorted(self._ring)
        p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
        return Spread(p50=p50 / 1e6, p99=p99 / 1e6, max=self._max_ns / 1e6)


class Ledger:
    """Collects the truth while the server runs."""

    def __init__(self) -> None:
        self.restarts = 0
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget what ended so far; requests under way are told when they end."""
        self._requests: deque[RequestTruth] = deque(maxlen=MAX_REQUESTS)
        self._totals: Counter[str] = Counter()
        self._fired, self._written = _Late(), _Late()

    def add(self, request: RequestTruth) -> None:
        """One request has ended."""
        self._requests.append(request)
        self._totals[request["outcome"]] += 1

    def add_step(self, fired_late_ns: int, written_late_ns: int) -> None:
        """One step was delivered."""
        self._fired.add(fired_late_ns)
        self._written.add(written_late_ns)

    def tell(self) -> Truth:
        """Everything; sorting and copying take some milliseconds, so ask after the load, not during it."""
        return Truth(
            requests=list(self._requests),
            forgotten=self._totals.total() - len(self._requests),
            totals={fate.value: self._totals[fate.value] for fate in Fate},
            restarts=self.restarts,
            in_flight=self.in_flight,
            lateness=Lateness(
                steps=self._fired.count, fired_ms=self._fired.spread(), written_ms=self._written.spread()
            ),
        )
