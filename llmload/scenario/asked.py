"""What a scenario asks for, resolved: every default filled in, every unit converted. Frozen, and light to import.

Durations are seconds (`_s`), shares 0..1, rates per second. Secrets are references, never values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llmload.cells import title_of
from llmload.promises import Gate, Promised, Slo
from llmload.scenario.traffic import Workload

# ---------------------------------------------------------------- target


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is found: the name of an environment variable, or a file. Exactly one is set."""

    env: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server that is already running. The URL may carry secrets: scrub before telling."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Faults:
    """What the simulator does wrong on purpose; each share is of requests, 0..1."""

    error_rate: float = 0.0
    error_status: int = 500
    disconnect_rate: float = 0.0  # closes the connection mid-stream
    stall_rate: float = 0.0  # sends some events, then nothing more
    malformed_rate: float = 0.0  # one event that is not JSON
    stream_error_rate: float = 0.0  # says within an answer of status 200 that it failed
    slow_first_byte_rate: float = 0.0
    slow_first_byte_s: float = 1.0
    restart_after: int | None = None  # requests until the server forgets everything and starts again


@dataclass(frozen=True, slots=True)
class Simulator:
    """The embedded server: a discrete model of continuous batching (simulator/engine.py).

    Figures left None come from the profile (simulator/profiles.py); those written win. Every step takes
    decode_base_ms + decode_per_seq_ms x (requests decoding) + prompt tokens / prefill_tokens_per_s.
    """

    profile: str = "laptop"
    model: str = "simulated"
    prefill_tokens_per_s: float | None = None
    decode_base_ms: float | None = None
    decode_per_seq_ms: float | None = None
    max_num_seqs: int | None = None
    kv_cache_tokens: int | None = None
    max_model_len: int | None = None
    prefix_cache: bool = True
    replicas: int = 1
    seed: int = 0
    api_key: SecretRef | None = None
    faults: Faults = field(default_factory=Faults)
    mean_answer_tokens: int = 128  # where the model may stop by itself (no ignore_eos)
    reasoning_tokens: int = 0  # with which each answer of OpenAI's chat begins
    refuse_fields: tuple[str, ...] = ()  # fields of a request answered with 422, as strict servers do
    framework: str | None = None  # whose protocols alone it speaks; None = all that it knows


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that we start ourselves and stop afterwards."""

    url: str = field(repr=False)  # where it will listen
    command: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)  # over ours
    ready_timeout_s: float


@dataclass(frozen=True, slots=True)
class Tls:
    """How a certificate is checked; `ca_file` None = the system's store."""

    verify: bool = True
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one request may take to connect, to its first token, and in all."""

    connect_s: float = 5.0
    first_token_s: float = 60.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Target:
    """The server under test. `settings` is the framework's settings dataclass; `declared` names those written."""

    place: ServerUrl | Simulator | Launch
    model: str | None
    framework: str
    settings: object
    declared: tuple[str, ...]
    api: str
    api_key: SecretRef | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: Tls
    timeouts: Timeouts
    transport: Literal["auto", "fast", "httpx"] = "auto"


# ---------------------------------------------------------------- load


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """So many requests in flight at all times, one step each."""

    concurrency: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent arrivals: exponential gaps."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Every gap the same."""


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma-distributed gaps of shape `burstiness`: 1 is Poisson, smaller is burstier."""

    burstiness: float


Arrival = Poisson | Constant | Gamma


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests at a rate whatever the server does, one step each."""

    rate_per_s: tuple[float, ...]
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Trace:
    """Recorded requests, at `speed` times their pace. `sha256` is the file's, so that another one is noticed."""

    file: str
    speed: float
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """Worker processes on this machine."""


@dataclass(frozen=True, slots=True)
class Ray:
    """Worker processes on the nodes of a Ray cluster; no address = the one that Ray finds by itself."""

    address: str | None = None


@dataclass(frozen=True, slots=True)
class Guards:
    """When to give up as "could not measure"; None = never. `error_rate` is a share, 0..1."""

    error_rate: float | None = None
    no_first_token_s: float | None = None
    dead_server_s: float | None = None


UNGUARDED = Guards()


@dataclass(frozen=True, slots=True)
class Load:
    """How requests arrive. A window ends after `requests` and `duration_s`, whichever is later, or at `max_duration_s`.

    Each step is reached by a linear climb (or descent) from the one before, of `ramp_s`; the first one from nothing.

    `requests` is None only where the author wrote a duration alone. `warmup_requests` None = max(2 x concurrency, 8);
    of conversations as many x concurrency as they have turns (`warmup_rounds`).
    """

    shape: ClosedLoop | OpenLoop | Trace
    requests: int | None
    duration_s: float | None
    warmup_requests: int | None
    cooldown_s: float
    max_duration_s: float
    max_in_flight: int
    workers: int | None  # None = auto
    ramp_s: float = 0.0
    engine: Local | Ray = Local()
    guards: Guards = UNGUARDED
    warmup_rounds: int = 2

    def warmup_for(self, concurrency: int) -> int:
        """Warm-up requests of a step: as written, or max(rounds x concurrency, 8)."""
        return max(self.warmup_rounds * concurrency, 8) if self.warmup_requests is None else self.warmup_requests


# ---------------------------------------------------------------- the rest

Policy = Literal["warn", "fail"]


@dataclass(frozen=True, slots=True)
class Decision:
    """How sure a verdict must be (confidence 0..1) and how far sampling may go to get there."""

    confidence: float
    max_requests: int
    repeats: int
    on_inconclusive: Policy
    on_missing_baseline: Policy
    on_incomparable: Policy


@dataclass(frozen=True, slots=True)
class Recommend:
    """What capacity is wanted. `prices` are USD per hour of one GPU, by its name, from the author's own list.

    `gpu_model` and `gpu_count` are for servers whose GPUs llmload does not see.
    """

    peak_concurrency: int
    daily_active_users: int | None
    requests_per_user_per_day: float
    peak_factor: float
    goodput_target: float
    headroom: float
    gpu_model: str | None
    gpu_usd_per_hour: float | None
    gpu_count: int | None = None
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Auto:
    """Found by llmload itself: the GPUs of the machine that the server runs on, the metrics page of the server."""


@dataclass(frozen=True, slots=True)
class Nvml:
    """The GPUs of this machine, through NVIDIA's driver."""


@dataclass(frozen=True, slots=True)
class Dcgm:
    """The GPUs of another machine, through its DCGM exporter; without a URL, that of the server's host."""

    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """A Prometheus page somewhere else than beside the API."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Container:
    """The log of a Docker container, by its name or id."""

    name: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file that somebody writes while the load goes on."""

    path: str


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What is read beside the load; None: nothing."""

    gpu: Auto | Nvml | Dcgm | None = Auto()
    server_metrics: Auto | MetricsPage | None = Auto()
    server_logs: Container | LogFile | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """Where reports go and which are written (names of `reporters`)."""

    directory: str
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Where a scenario came from. `resolved` is canonical JSON that loads to the same scenario; both are scrubbed."""

    source: str
    text: str
    resolved: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run's worth of intent. `notices` are sentences that the user should read, such as assumed conversions."""

    name: str
    description: str
    labels: Mapping[str, str]
    target: Target
    workload: Workload
    load: Load
    slo: Slo | None
    gates: tuple[Gate, ...]
    decision: Decision
    recommend: Recommend | None
    reports: Reports
    document: Document
    notices: tuple[str, ...] = ()
    telemetry: Telemetry = Telemetry()

    @property
    def promised(self) -> Promised:
        """What makes a request good, by its class where classes have SLOs of their own."""
        return self.workload.promised(self.slo)

    @property
    def title(self) -> str:
        """The name for people, with the cell of its matrix where it is one."""
        return title_of(self.name, self.labels)
