"""What the simulated machine can do. Profiles only resemble GPUs: round figures from bandwidth, memory and common
experience with a model of about 8 B parameters, good for trying things out and for nothing that costs money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from llmload.errors import UsageError
from llmload.scenario.asked import Faults, Simulator

BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Machine:
    """The figures that one replica runs on; `resembles` says in words how far to believe them.

    `prefill_budget_tokens` is the most prompt tokens that one step takes on (vLLM: max_num_batched_tokens).
    """

    resembles: str
    prefill_tokens_per_s: float
    decode_base_ms: float
    decode_per_seq_ms: float
    max_num_seqs: int
    kv_cache_tokens: int
    max_model_len: int
    prefill_budget_tokens: int = 2048


PROFILES: Mapping[str, Machine] = {
    "laptop": Machine(
        "no machine in particular: quick figures, so that a whole run takes seconds",
        20_000,
        8.0,
        0.1,
        64,
        200_000,
        8192,
    ),
    "a10g": Machine("an A10G (24 GB) serving 8 B parameters in 16 bit", 4_000, 30.0, 0.15, 128, 32_000, 8192),
    "l4": Machine("an L4 (24 GB) serving 8 B parameters in 8 bit", 5_000, 32.0, 0.2, 256, 95_000, 8192),
    "a100": Machine("an A100 (80 GB) serving 8 B parameters in 16 bit", 12_000, 10.0, 0.06, 256, 420_000, 32_768),
    "h100": Machine("an H100 (80 GB) serving 8 B parameters in 16 bit", 28_000, 6.5, 0.04, 512, 430_000, 32_768),
    "h200": Machine("an H200 (141 GB) serving 8 B parameters in 16 bit", 30_000, 5.0, 0.03, 1024, 840_000, 65_536),
}


def machine_of(settings: Simulator) -> Machine:
    """The profile, with every figure that the settings give put over it; UsageError where that cannot run.

    A context that only the profile gives is cut to the KV cache, since one request must fit into it.
    """
    if settings.profile not in PROFILES:
        raise UsageError("simulator.profile", f"unknown {settings.profile!r}", f"Use one of: {', '.join(PROFILES)}")
    profile = PROFILES[settings.profile]
    written = {
        figure.name: value for figure in fields(Machine) if (value := getattr(settings, figure.name, None)) is not None
    }
    machine = replace(profile, **written)
    if settings.max_model_len is None:
        machine = replace(machine, max_model_len=min(machine.max_model_len, machine.kv_cache_tokens))
    _refuse_impossible(settings, machine)
    return machine


def _refuse_impossible(settings: Simulator, machine: Machine) -> None:
    """UsageError naming the first figure that no server could have."""
    for name in ("prefill_tokens_per_s", "decode_base_ms", "max_num_seqs", "kv_cache_tokens", "max_model_len"):
        if getattr(machine, name) <= 0:
            raise UsageError(f"simulator.{name}", f"{getattr(machine, name)} is not above 0", "Give a larger figure")
    if machine.decode_per_seq_ms < 0:
        raise UsageError("simulator.decode_per_seq_ms", "one more request cannot save time", "Give 0 or more")
    if machine.max_model_len > machine.kv_cache_tokens:
        where = "simulator.max_model_len"
        problem = f"{machine.max_model_len} tokens do not fit into a KV cache of {machine.kv_cache_tokens}"
        raise UsageError(where, problem, "Lower max_model_len or raise kv_cache_tokens")
    if settings.replicas < 1:
        raise UsageError("simulator.replicas", f"{settings.replicas} is not 1 or more", "Give at least one")
    if settings.mean_answer_tokens < 1:
        raise UsageError("simulator.mean_answer_tokens", "an answer has at least one token", "Give 1 or more")
    if settings.reasoning_tokens < 0:
        raise UsageError("simulator.reasoning_tokens", f"{settings.reasoning_tokens} is below 0", "Give 0 or more")
    _refuse_impossible_faults(settings.faults)


def _refuse_impossible_faults(faults: Faults) -> None:
    shares = (
        faults.error_rate,
        faults.disconnect_rate,
        faults.stall_rate,
        faults.malformed_rate,
        faults.stream_error_rate,
        faults.slow_first_byte_rate,
    )
    if min(shares) < 0 or sum(shares) > 1 + 1e-9:
        raise UsageError("simulator.faults", "the shares are not 0..1 in all", "One request has at most one fault")
    if not 400 <= faults.error_status <= 599:
        raise UsageError("simulator.faults.error_status", f"{faults.error_status} is no error", "Give 400 to 599")
    if faults.slow_first_byte_s < 0:
        raise UsageError("simulator.faults.slow_first_byte_s", "time does not run backwards", "Give 0 or more")
    if faults.restart_after is not None and faults.restart_after < 1:
        raise UsageError("simulator.faults.restart_after", "it would never serve a request", "Give 1 or more")
