"""The judged document becomes the `Scenario` of this program: defaults filled in, units converted."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import assert_never

from llmload.frameworks.registry import adapter_for
from llmload.promises import Gate
from llmload.scenario import asked
from llmload.scenario.document import target as written
from llmload.scenario.document.capacity import Recommend
from llmload.scenario.document.load import DEFAULT_LADDER, DEFAULT_REQUESTS, Gamma, Load
from llmload.scenario.document.promises import Decision
from llmload.scenario.document.root import DockerLogs, FileLogs, Logs, ScenarioDocument, Telemetry
from llmload.scenario.document.root import GpuTelemetry as GpuSource
from llmload.scenario.document.settings import settings_model
from llmload.scenario.lengths import mean_length
from llmload.scenario.resolve_traffic import resolve_slo, resolve_workload
from llmload.scenario.rules import DEFAULT_MAX_REQUESTS, RECOMMENDED_SLO
from llmload.scenario.traffic import Workload

_DECIMALS = 9


def resolve_scenario(
    document: ScenarioDocument, gates: tuple[Gate, ...], origin: asked.Document, notices: tuple[str, ...]
) -> asked.Scenario:
    """The scenario that a valid document means. Its gates were read before, with the lines they stand on."""
    spec = document.spec
    workload = resolve_workload(spec.workload)
    load = replace(resolve_load(spec.load), warmup_rounds=_warmup_rounds(workload))
    return asked.Scenario(
        name=document.metadata.name,
        description=document.metadata.description,
        labels=dict(document.metadata.labels),
        target=resolve_target(spec.target),
        workload=workload,
        load=load,
        slo=resolve_slo(spec.slo) or (RECOMMENDED_SLO if spec.recommend else None),
        gates=gates,
        decision=resolve_decision(spec.decision, load.requests),
        recommend=resolve_recommend(spec.recommend) if spec.recommend else None,
        reports=asked.Reports(spec.reports.dir, tuple(spec.reports.formats)),
        document=origin,
        notices=notices,
        telemetry=resolve_telemetry(spec.telemetry),
    )


def _warmup_rounds(workload: Workload) -> int:
    """So many requests of each slot until what is measured no longer depends on how the window began."""
    return 2 if workload.sessions is None else max(2, ceil(mean_length(workload.sessions.turns)))


def default_api(framework: str) -> str:
    """The API a framework is tested through where the author names none."""
    return next(iter(adapter_for(framework).dialects))


def resolve_target(target: written.Target) -> asked.Target:
    """The server under test."""
    settings = adapter_for(target.framework).settings
    declared = settings_model(settings).model_validate(target.framework_config)
    return asked.Target(
        place=_place(target),
        model=target.model,
        framework=target.framework,
        settings=settings(**{name: getattr(declared, name) for name in type(declared).model_fields}),
        declared=tuple(sorted(target.framework_config)),
        api=target.api or default_api(target.framework),
        api_key=_reference(target.api_key),
        headers=tuple(target.headers.items()),
        tls=asked.Tls(target.tls.verify, target.tls.ca_file),
        timeouts=asked.Timeouts(target.timeout.connect, target.timeout.first_token, target.timeout.total),
        transport=target.transport,
    )


def _reference(secret: written.Reference | None) -> asked.SecretRef | None:
    return asked.SecretRef(secret.env, secret.file) if secret else None


def _place(target: written.Target) -> asked.ServerUrl | asked.Simulator | asked.Launch:
    if target.launch is not None:
        launch = target.launch
        assert target.url is not None  # noqa: S101 - the document asks for both
        return asked.Launch(target.url, tuple(launch.command), dict(launch.env), launch.ready_timeout)
    if target.url is not None:
        return asked.ServerUrl(target.url)
    assert target.simulator is not None  # noqa: S101 - the document has one of the three
    return _simulator(target.simulator, target.framework)


def _simulator(written_one: written.Simulator, framework: str) -> asked.Simulator:
    faults = written_one.faults
    return asked.Simulator(
        profile=written_one.profile,
        model=written_one.model or "simulated",
        prefill_tokens_per_s=written_one.prefill,
        decode_base_ms=_in_ms(written_one.decode_base),
        decode_per_seq_ms=_in_ms(written_one.decode_per_seq),
        max_num_seqs=written_one.max_num_seqs,
        kv_cache_tokens=written_one.kv_cache_tokens,
        max_model_len=written_one.max_model_len,
        prefix_cache=written_one.prefix_cache,
        replicas=written_one.replicas,
        seed=written_one.seed,
        api_key=_reference(written_one.api_key),
        faults=asked.Faults(
            error_rate=faults.error_rate,
            error_status=faults.error_status,
            disconnect_rate=faults.disconnect_rate,
            stall_rate=faults.stall_rate,
            malformed_rate=faults.malformed_rate,
            stream_error_rate=faults.stream_error_rate,
            slow_first_byte_rate=faults.slow_first_byte_rate,
            slow_first_byte_s=faults.slow_first_byte,
            restart_after=faults.restart_after,
        ),
        mean_answer_tokens=written_one.mean_answer_tokens,
        reasoning_tokens=written_one.reasoning_tokens,
        refuse_fields=tuple(written_one.refuse_fields),
        framework=framework,
    )


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, _DECIMALS)


def resolve_load(load: Load) -> asked.Load:
    """How requests arrive; a duration alone leaves the number of requests open.

    A trace knows both: how many of its requests fall into a duration was counted when it was read (`replay.settle`).
    """
    return asked.Load(
        shape=_shape(load),
        requests=load.requests if load.requests or load.duration else DEFAULT_REQUESTS,
        duration_s=None if load.trace is not None else load.duration,
        warmup_requests=load.warmup.requests,
        cooldown_s=load.cooldown,
        max_duration_s=load.max_duration,
        max_in_flight=load.max_in_flight,
        workers=None if load.workers == "auto" else load.workers,
        ramp_s=load.ramp or 0.0,
        engine=asked.Ray(load.address) if load.engine == "ray" else asked.Local(),
        guards=asked.Guards(load.guards.error_rate, load.guards.no_first_token, load.guards.dead_server),
    )


def _shape(load: Load) -> asked.ClosedLoop | asked.OpenLoop | asked.Trace:
    if load.trace is not None:
        return asked.Trace(load.trace.file, load.trace.speed, load.trace.sha256)
    if load.rate is not None:
        return asked.OpenLoop(tuple(load.rate), _arrival(load))
    return asked.ClosedLoop(tuple(load.concurrency or DEFAULT_LADDER))


def _arrival(load: Load) -> asked.Arrival:
    match load.arrival:
        case None | "poisson":
            return asked.Poisson()
        case "constant":
            return asked.Constant()
        case Gamma(gamma=gamma):
            return asked.Gamma(gamma.burstiness)
        case _:
            assert_never(load.arrival)


def resolve_decision(decision: Decision, requests: int | None) -> asked.Decision:
    """How sure; sampling may go to max(1600, requests) unless written."""
    return asked.Decision(
        confidence=decision.confidence,
        max_requests=decision.max_requests or max(DEFAULT_MAX_REQUESTS, requests or 0),
        repeats=decision.repeats,
        on_inconclusive=decision.on_inconclusive,
        on_missing_baseline=decision.on_missing_baseline,
        on_incomparable=decision.on_incomparable,
    )


def resolve_telemetry(telemetry: Telemetry) -> asked.Telemetry:
    """What is read beside the load."""
    return asked.Telemetry(
        gpu=_gpu_source(telemetry.gpu),
        server_metrics=_metrics_source(telemetry.server_metrics),
        server_logs=_log_source(telemetry.server_logs),
    )


def _gpu_source(gpu: GpuSource) -> asked.Auto | asked.Nvml | asked.Dcgm | None:
    match gpu.source:
        case "auto":
            return asked.Auto()
        case "nvml":
            return asked.Nvml()
        case "dcgm":
            return asked.Dcgm(gpu.url)
        case "none":
            return None
        case _:
            assert_never(gpu.source)


def _metrics_source(written_one: str) -> asked.Auto | asked.MetricsPage | None:
    if written_one == "none":
        return None
    return asked.Auto() if written_one == "auto" else asked.MetricsPage(written_one)


def _log_source(logs: Logs) -> asked.Container | asked.LogFile | None:
    match logs:
        case "none":
            return None
        case DockerLogs(docker=name):
            return asked.Container(name)
        case FileLogs(file=path):
            return asked.LogFile(path)
        case _:
            assert_never(logs)


def resolve_recommend(recommend: Recommend) -> asked.Recommend:
    """What capacity is wanted."""
    gpu = recommend.gpu
    return asked.Recommend(
        peak_concurrency=recommend.peak_concurrency,
        daily_active_users=recommend.daily_active_users,
        requests_per_user_per_day=recommend.requests_per_user_per_day,
        peak_factor=recommend.peak_factor,
        goodput_target=recommend.goodput_target,
        headroom=recommend.headroom,
        gpu_model=gpu.model if gpu else None,
        gpu_usd_per_hour=gpu.usd_per_hour if gpu else None,
        gpu_count=gpu.count if gpu else None,
        prices=dict(recommend.prices),
    )
