"""What load a server carries within its SLO, and how many GPUs a demand needs; fields are named as in documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmload.promises import Slo
from llmload.verdict import Status


@dataclass(frozen=True, slots=True)
class Knee:
    """How far the load of one ladder may go, by METRICS.md "Capacity". None: not reached or not known.

    `at_slo` is the highest load whose lower bound of goodput is at least `target` (0..1) with no failing step below
    it; where a gate promises `target` its verdict says so. `saturation` is the first load at which throughput stops
    growing or goodput falls. Both in the unit of `axis`.
    """

    axis: str  # "concurrency", "rate" or "speed", as in Step
    at_slo: float | None
    saturation: float | None
    target: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies at the confidence of the scenario, in the figure's own unit; `high` None: nothing bounds it.

    A capacity has no upper end where no load was measured that surely breaks the SLO.
    """

    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class Carried:
    """What an installation did at the highest load that surely holds its SLO. Shares 0..1, output tokens per second."""

    concurrency: float
    goodput: float | None
    goodput_low: float | None
    goodput_high: float | None
    output_tps: float | None
    output_tps_low: float | None
    output_tps_high: float | None
    mean_e2e_ms: float | None


@dataclass(frozen=True, slots=True)
class SaturationPoint:
    """The first load at which throughput stops growing or goodput falls."""

    concurrency: float
    throughput_tokens_per_sec: float | None
    goodput_percent: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What one installation was measured to carry: a GPU, a model and its settings, a workload, an SLO, a load.

    The unit of the library: demands on like workloads are answered from it, and nothing else is (METRICS "Capacity").
    `settings` are those in force, as words; `traffic` says in canonical JSON what the workload asks for.
    """

    run_id: str
    created: str  # UTC, ISO 8601
    scenario: str
    framework: str
    version: str | None
    model: str
    gpu_model: str | None  # None where nobody told
    gpu_count: int | None
    gpu_memory_gb: float | None
    gpus_per_replica: int  # tensor_parallel_size x pipeline_parallel_size
    tensor_parallelism: int
    settings: Mapping[str, str]
    traffic: str
    slo: Slo
    goodput_target: float  # 0..1
    confidence: float  # 0..1
    at_slo: Carried | None  # None: no load that was measured surely holds
    fails_at: float | None  # the lowest load above that one that surely breaks the SLO
    saturation: SaturationPoint | None
    usd_per_hour: float | None = None  # of one GPU, where the scenario says it

    @property
    def replicas(self) -> int:
        """Replicas that were measured as one address: whole ones, and 1 where the GPUs are not known."""
        return max(1, (self.gpu_count or 0) // self.gpus_per_replica)


@dataclass(frozen=True, slots=True)
class Demand:
    """The workload that the servers are to carry."""

    peak_concurrency: float
    requests_per_user_per_day: float
    avg_input_tokens: float | None  # None where prompts come from a file, whose tokens nobody counted beforehand
    avg_output_tokens: float
    ttft_target_ms: float | None
    tpot_target_ms: float | None
    goodput_target_percent: float
    daily_active_users: float | None = None
    e2e_target_ms: float | None = None
    expected_peak: float | None = None  # requests in flight that the daily users make, by Little's law


@dataclass(frozen=True, slots=True)
class CurrentInfra:
    """What was measured: one installation, and the load it carries. None where it was not reached or not known."""

    gpu_model: str
    gpu_count: int | None
    gpu_memory_gb: float | None
    max_concurrency_at_slo: float | None
    throughput_tokens_per_sec: float | None
    goodput_at_max_concurrency: float | None  # percent
    saturation_concurrency: float | None
    saturation_goodput: float | None  # percent


@dataclass(frozen=True, slots=True)
class Advice:
    """How many GPUs, and what they will carry. `intervals` bounds each figure, by its field name here."""

    recommended_gpu: str
    recommended_count: int
    tensor_parallelism: int
    estimated_max_concurrency: float
    estimated_goodput: float | None  # percent
    estimated_throughput: float | None  # output tokens per second; None where tokens were not counted
    headroom_percent: float
    calculation_formula: str
    reasoning: str
    estimated_monthly_cost_usd: float | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    replicas: int | None = None
    gpus_per_replica: int | None = None
    usd_per_gpu_hour: float | None = None
    cost_per_million_tokens_usd: float | None = None  # of output, at the load that the SLO allows


@dataclass(frozen=True, slots=True)
class MeasuredLoad:
    """One load that was measured for the recommendation; `status` says whether goodput surely reaches the target."""

    concurrency: float
    status: Status
    requests: int
    goodput_percent: float | None
    goodput_low_percent: float | None
    goodput_high_percent: float | None
    throughput_tokens_per_sec: float | None
    ttft_p95_ms: float | None
    tpot_p95_ms: float | None
    e2e_mean_ms: float | None


@dataclass(frozen=True, slots=True)
class LoadResults:
    """Everything the advice rests on, the lightest load first ("test_results" in documents)."""

    concurrency_results: tuple[MeasuredLoad, ...]
    saturation_point: SaturationPoint | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """The same demand on another GPU, or with other settings, from a measured profile of the store."""

    gpu_model: str
    count: int
    replicas: int
    gpus_per_replica: int
    settings: Mapping[str, str]
    max_concurrency_at_slo: float
    estimated_throughput: float | None
    calculation_formula: str
    run_id: str
    measured: str  # UTC, ISO 8601
    usd_per_gpu_hour: float | None = None
    estimated_monthly_cost_usd: float | None = None
    cost_per_million_tokens_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """Something worth knowing or trying beside the number of GPUs; it changes no figure.

    `kind` is one of "demand", "tensor_parallelism", "bound", "setting", "cost".
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Demand, measurement and advice. Without `advice`, `headline` says why there can be none."""

    headline: str
    workload: Demand
    current_infra: CurrentInfra
    advice: Advice | None
    test_results: LoadResults | None = None
    hints: tuple[Hint, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
