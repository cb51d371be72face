"""What load a server carries within its SLO, and how many GPUs a demand needs; fields are named as in documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """Where a figure lies at the confidence of the scenario, in the figure's own unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The workload that the servers are to carry."""

    peak_concurrency: float
    requests_per_user_per_day: float
    avg_input_tokens: float
    avg_output_tokens: float
    ttft_target_ms: float | None
    tpot_target_ms: float | None
    goodput_target_percent: float
    daily_active_users: float | None = None


@dataclass(frozen=True, slots=True)
class CurrentInfra:
    """What was measured: one installation, and the load it carries. None where it was not reached or not known."""

    gpu_model: str
    gpu_count: int
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
    estimated_goodput: float  # percent
    estimated_throughput: float  # output tokens per second
    headroom_percent: float
    calculation_formula: str
    reasoning: str
    estimated_monthly_cost_usd: float | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Demand, measurement and advice. Without `advice`, `headline` says why there can be none."""

    headline: str
    workload: Demand
    current_infra: CurrentInfra
    advice: Advice | None
