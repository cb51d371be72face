"""What GPUs cost, from prices that the author gives; nothing is looked up anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmload.scenario.asked import Recommend

HOURS_OF_A_MONTH = 730
"""365 x 24 / 12."""

_TOKENS = 1e6
_SECONDS_OF_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Cost:
    """USD of an installation that runs all the time; None where a price or a throughput is not known."""

    monthly_usd: float | None
    usd_per_million_tokens: float | None


def cost_of(gpus: int, usd_per_gpu_hour: float | None, output_tps: float | None) -> Cost:
    """GPUs x usd x 730 h a month, and that hour's cost over its million output tokens at `output_tps`."""
    if usd_per_gpu_hour is None:
        return Cost(None, None)
    hourly = gpus * usd_per_gpu_hour
    per_token = None if not output_tps else hourly / (output_tps * _SECONDS_OF_AN_HOUR)
    return Cost(hourly * HOURS_OF_A_MONTH, None if per_token is None else per_token * _TOKENS)


def price_of(gpu: str | None, prices: Mapping[str, float]) -> float | None:
    """USD per hour of one GPU, by its name in any case, else by the longest name of the list that its words contain.

    `H100` is the price of an "NVIDIA H100 80GB HBM3", and `A10` is none of an A100's.
    """
    if gpu is None:
        return None
    name = gpu.casefold()
    known = {key.casefold(): value for key, value in prices.items()}
    parts = (key for key in known if re.search(rf"(?<![^\W_]){re.escape(key)}(?![^\W_])", name))
    return known.get(name, known.get(max(parts, key=len, default="")))


def usd_per_gpu_hour(gpu: str | None, recommend: Recommend) -> float | None:
    """What the author says of the measured GPU itself, else what the list says of its name; None: nothing is said."""
    return price_of(gpu, recommend.prices) if recommend.gpu_usd_per_hour is None else recommend.gpu_usd_per_hour
