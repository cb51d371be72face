"""Reads a whole run back from its result.json, so that reports, comparisons and CI can work without the store.

Such a file may come from a stranger's job. Whatever in it cannot be trusted is a fault with its path, and nothing of it
is used then; fields that this version does not know are skipped, since version 1 grows by further fields. The document
has no requests, no text of the scenario, no timeline and only shortened series: a run that was read has none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from llmload.analysis.conclusions import PRECEDENCE
from llmload.baseline import Baseline, Design, Difference, Incomparable, NoBaseline, PastRun, Reference
from llmload.capacity import Knee, Recommendation
from llmload.domain import RunHeader, RunResult, StepResult, TargetFacts, TokenFit, TokenSource, Workers
from llmload.planned import Look, Step
from llmload.promises import Slo
from llmload.samples import Source
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.store.places import Place, document_of, refuse_faults
from llmload.store.plausibility import is_plausible_recommendation
from llmload.store.result_figures import caveats_of, estimates_of, metrics_of, parts_of, repeats_of
from llmload.store.result_file import API_VERSION, AXES, LARGEST, MOST_STEPS, REMEDY
from llmload.store.result_gates import verdict_of, verdicts_of
from llmload.store.typed_json import of_text
from llmload.verdict import Finding, Status

_MOST = 1_000
"""Members of any list: findings, notices, runs of a baseline."""

_POLICIES = ("inconclusive", "incomparable", "missing_baseline")


def read_run(path: Path) -> RunResult:
    """The run of a result.json; DataFileError names every place that cannot be trusted.

    Without histograms, timeline, series of GPUs and server, hardware profile and written analyses; a baseline comes
    without its figures, and a recommendation only where it is of exactly this version's form.
    """
    document = document_of(path, API_VERSION, LARGEST, REMEDY)
    run = _run(document)
    refuse_faults(path, document, REMEDY)
    return run


def _run(document: Place) -> RunResult:
    header = _header(document)
    target, slo, knee = document.at("target"), document.at("slo"), document.at("knee")
    return RunResult(
        header=header,
        finished=document.at("finished").text_or_none(),
        target=_target(target) if target.is_there() else None,
        steps=_steps(document.at("steps")),
        status=document.at("verdict").word(Status),
        exit_code=_exit_code(document.at("exit_code")),
        because=document.at("because").text(),
        fingerprint=_texts(document.at("fingerprint")),
        findings=tuple(_findings(document.at("findings"))),
        caveats=tuple(caveats_of(document.at("caveats"))),
        notices=tuple(each.text() for each in document.at("notices").each_if_any(_MOST)),
        fails_on=tuple(each.one_of(*_POLICIES) for each in document.at("fails_on").each(len(_POLICIES))),
        reference=_reference(document.at("reference"), header.scenario),
        slo=_slo(slo) if slo.is_there() else None,
        slo_by_class=_slo_by_class(document.at("slo_by_class")),
        knee=_knee(knee) if knee.is_there() else None,
        recommendation=_recommendation(document.at("recommendation")),
    )


def _header(document: Place) -> RunHeader:
    return RunHeader(
        run_id=document.at("run_id").text(),
        scenario=document.at("scenario").text(),
        created=document.at("created").text(),
        version=document.at("llmload_version").text(),
        document_text="",
        document_hash=document.at("document_sha256").text(),
        resolved="{}",
        source=document.at("source").text(),
        labels=_texts(document.at("labels")),
        environment=_texts(document.at("environment")),
    )


def _exit_code(place: Place) -> int:
    code = place.count()
    if code not in PRECEDENCE:
        place.wrong(f"is none of {', '.join(map(str, sorted(PRECEDENCE)))}")
    return code


def _texts(place: Place) -> Mapping[str, str]:
    return {name: each.text() for name, each in place.members()} if place.is_there() else {}


def _target(place: Place) -> TargetFacts:
    fit, settings, actual = place.at("token_fit"), place.at("settings"), _names(place.at("verified"))
    in_force = {name: each.foreign() for name, each in settings.members()}
    return TargetFacts(
        url=place.at("url").text(),
        framework=place.at("framework").text(),
        api=place.at("api").text_or_none(),
        model=place.at("model").text(),
        version=place.at("version").text_or_none(),
        max_model_len=place.at("max_model_len").count_or_none(),
        fit=_fit(fit) if fit.is_there() else None,
        settings={name: value for name, value in in_force.items() if name not in actual},
        declared=_names(place.at("declared")),
        left_out=_names(place.at("left_out")),
        actual={name: value for name, value in in_force.items() if name in actual},
    )


def _names(place: Place) -> tuple[str, ...]:
    return tuple(each.text() for each in place.each_if_any(_MOST))


def _fit(place: Place) -> TokenFit:
    return TokenFit(
        template=place.at("template").signed(),
        per_word=place.at("per_word").signed(),
        residual=place.at("residual").number(),
        source=place.at("source").word(TokenSource),
    )


# ---------------------------------------------------------------- steps


def _steps(place: Place) -> tuple[StepResult, ...]:
    found: dict[tuple[str, float], StepResult] = {}
    for each in place.each(MOST_STEPS):
        step = Step(each.at("index").count(), each.at("axis").one_of(*AXES), each.at("value").above_0())
        if (step.axis, step.value) in found:
            each.wrong("is a step that stands there twice")
        found[step.axis, step.value] = _step(each, step)
    return tuple(found.values())


def _step(place: Place, step: Step) -> StepResult:
    workers, gpu, server, capacity = (place.at(name) for name in ("workers", "gpu", "server", "capacity"))
    return StepResult(
        step,
        tuple(_looks(place, step)),
        metrics_of(place.at("metrics")),
        tuple(verdicts_of(place.at("verdicts"), step.label)),
        tuple(caveats_of(place.at("caveats"))),
        workers=_workers(workers) if workers.is_there() else None,
        estimates=estimates_of(place.at("estimates")),
        repeats=repeats_of(place.at("repeats")),
        gpu=_gpu(gpu) if gpu.is_there() else None,
        server=_server(server) if server.is_there() else None,
        checks=tuple(map(_check, place.at("checks").each_if_any(_MOST))),
        capacity=verdict_of(capacity, step.label) if capacity.is_there() else None,
        parts=tuple(parts_of(place.at("parts"))),
    )


def _looks(place: Place, step: Step) -> Iterator[Look]:
    """Files of earlier versions do not say in which climb of the ladder a window was measured."""
    climbs = [each.count() for each in place.at("look_repeats").each_if_any(_MOST)]
    for number, each in enumerate(place.at("looks").each(_MOST)):
        yield Look(step, number, each.count(), climbs[number] if number < len(climbs) else 0)


def _workers(place: Place) -> Workers:
    return Workers(place.at("count").count(), place.at("because").text(), place.at("cpu_share").number_or_none())


def _gpu(place: Place) -> GpuFigures:
    return GpuFigures(
        count=place.at("count").count(),
        utilisation=place.at("utilisation").number_or_none(1.0),
        memory_bytes=place.at("memory_bytes").count_or_none(),
        temperature_c=place.at("temperature_c").number_or_none(),
        power_w=place.at("power_w").number_or_none(),
        energy_j=place.at("energy_j").number_or_none(),
        joules_per_token=place.at("joules_per_token").number_or_none(),
        throttled=place.at("throttled").number_or_none(1.0),
        throttle_reasons=_names(place.at("throttle_reasons")),
    )


def _server(place: Place) -> ServerFigures:
    return ServerFigures(
        source=place.at("source").word(Source),
        running=place.at("running").number_or_none(),
        waiting=place.at("waiting").number_or_none(),
        waiting_max=place.at("waiting_max").number_or_none(),
        kv_cache_share=place.at("kv_cache_share").number_or_none(1.0),
        prefix_cache_hit_share=place.at("prefix_cache_hit_share").number_or_none(1.0),
        preemptions=place.at("preemptions").number_or_none(),
        ttft_ms=place.at("ttft_ms").number_or_none(),
        tpot_ms=place.at("tpot_ms").number_or_none(),
        e2e_ms=place.at("e2e_ms").number_or_none(),
        queue_ms=place.at("queue_ms").number_or_none(),
    )


def _check(place: Place) -> Check:
    return Check(
        figure=place.at("figure").one_of("requests", "input_tokens", "output_tokens", "ttft", "tpot", "e2e"),
        unit=place.at("unit").one_of("", "tokens", "ms"),
        client=place.at("client").number(),
        server=place.at("server").number(),
        tolerance=place.at("tolerance").number(),
        floor=place.at("floor").number(),
    )


# ---------------------------------------------------------------- the run as a whole


def _findings(place: Place) -> Iterator[Finding]:
    for each in place.each_if_any(_MOST):
        yield Finding(
            subject=each.at("subject").text(),
            expected=each.at("expected").text(),
            actual=each.at("actual").text(),
            cause=each.at("cause").text(),
            step=each.at("step").text_or_none() or "",
            kind=each.at("kind").text_or_none() or "",
        )


def _reference(place: Place, scenario: str) -> Reference | None:
    if not place.is_there():
        return None
    match place.at("kind").one_of("baseline", "incomparable", "none"):
        case "baseline":
            runs = tuple(_past(each) for each in place.at("runs").each(_MOST))
            return Baseline(place.at("source").text(), scenario, {}, runs, place.at("design").word(Design))
        case "incomparable":
            differing = place.at("differing").each(_MOST)
            return Incomparable(place.at("source").text(), tuple(map(_difference, differing)))
        case _:
            return NoBaseline(place.at("because").text(), place.at("remedy").text())


def _past(place: Place) -> PastRun:
    return PastRun(place.at("run_id").text(), place.at("created").text(), place.at("commit").text(), {})


def _difference(place: Place) -> Difference:
    return Difference(place.at("key").text(), place.at("theirs").text(), place.at("ours").text())


def _slo_by_class(place: Place) -> dict[str, Slo]:
    return {name: _slo(each) for name, each in place.members()} if place.is_there() else {}


def _slo(place: Place) -> Slo:
    terms = (place.at(name).above_0_or_none() for name in ("ttft_ms", "tpot_ms", "e2e_ms"))
    return Slo(*terms)


def _knee(place: Place) -> Knee:
    return Knee(
        axis=place.at("axis").one_of(*AXES),
        at_slo=place.at("at_slo").above_0_or_none(),
        saturation=place.at("saturation").above_0_or_none(),
        target=place.at("target").number(1.0),
    )


def _recommendation(place: Place) -> Recommendation | None:
    """Advice is not taken over in part: None where any of it is of another form than this version's."""
    told = place.foreign()
    if not isinstance(told, dict):
        return None
    document = {**told, "advice": told.get("recommendation")}
    document.pop("recommendation", None)
    try:
        found = of_text(orjson.dumps(document), Recommendation)
    except Exception:  # whatever is wrong with it, the verdict of the run does not rest on it
        return None
    return found if is_plausible_recommendation(found) else None
