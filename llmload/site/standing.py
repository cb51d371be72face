"""Where a run stands that has no result (yet): in words for people, and as a document for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from math import isfinite

from llmload.analysis.looks import steps_of
from llmload.domain import Phase, StepResult
from llmload.errors import StoreError
from llmload.plain_text import plain
from llmload.planned import Step
from llmload.progress import Progress
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, milliseconds, percent
from llmload.reporters.gpu_now import words_of
from llmload.reporters.sections import Table
from llmload.reporters.step_document import Json, Room, caveat_document, number, step_document
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in, step_label
from llmload.scenario.loader import load_resolved
from llmload.store.judgement import cut_short
from llmload.store.states import GateWord, RunState
from llmload.verdict import Caveat

_LATENCIES = ("ttft", "tpot", "e2e")


def ladder_of(state: RunState) -> tuple[Step, ...]:
    """The steps that the scenario asks for; none where its document cannot be read by this version."""
    try:
        return steps_of(load_resolved(state.header.resolved))
    except StoreError:
        return ()


# ---------------------------------------------------------------- for people


def told_of(state: RunState, ladder: Sequence[Step], texts: Texts) -> dict[str, str]:
    """The figures of a run that goes on, by the names under which its page shows them; no units are left out.

    `percent` is how much of the window is done, 0 to 100, and empty where that cannot be said.
    """
    now = state.progress
    created = created_s(state)
    told = {"running_for": clock(None if created is None else state.at_s - created)}
    if now is None:
        waiting = dict.fromkeys(("done", "in_flight", "output", "ttft_p50", "ttft_p95", "goodput", "left"), MISSING)
        words = texts["site.live.preparing"]
        return {**told, **waiting, "step": words, "phase": texts["site.live.phase.preparing"], "percent": ""}
    phase = Phase.MEASURED if now.phase is Phase.MEASURED else Phase.WARMUP
    measured = {
        "step": _place(now.step, ladder, texts),
        "phase": texts[f"site.live.phase.{phase.value}"],
        "percent": str(round(100 * min(1.0, now.done / now.planned))) if now.planned > 0 else "",
        "done": f"{now.done:,} / {now.planned:,}" if now.planned > 0 else f"{now.done:,}",
        "in_flight": amount(now.in_flight),
        "output": texts["site.live.events_per_s"].format(rate=amount(now.output_events_per_s)),
        "ttft_p50": milliseconds(now.ttft_p50_ms),
        "ttft_p95": milliseconds(now.ttft_p95_ms),
        "goodput": percent(now.goodput),
        "left": clock(_left_s(now)),
    }
    return {**told, **measured}


def spoken(told: dict[str, str], texts: Texts) -> str:
    """The same in one sentence, for those who hear the page."""
    return texts["site.live.spoken"].format(**told)


def _place(label: str, ladder: Sequence[Step], texts: Texts) -> str:
    """Such as "step 2 of 4: concurrency 8". A load beyond a ladder that is known is one that a search chose."""
    words = label_in(label, texts)
    number = next((step.index + 1 for step in ladder if step.label == label), None)
    if number is None:
        return texts["site.live.searched"].format(step=words) if ladder else words
    return texts["site.live.step_of"].format(number=number, count=len(ladder), step=words)


def _left_s(now: Progress) -> float | None:
    """To the end of the window at the pace so far."""
    if now.done <= 0 or now.elapsed_s <= 0 or now.planned <= 0:
        return None
    return now.elapsed_s / now.done * max(0, now.planned - now.done)


def created_s(state: RunState) -> float | None:
    """When the run was created, in Unix time; None where a foreign store says it in a way that is no date."""
    try:
        created = datetime.fromisoformat(state.header.created)
    except ValueError:
        return None
    return (created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp()


def clock(seconds: float | None) -> str:
    """A duration as people say it: "8 s", "2 min 05 s", "1 h 20 min"."""
    if seconds is None or not isfinite(seconds):
        return MISSING
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def step_table(steps: Sequence[StepResult], ladder: Sequence[Step], texts: Texts) -> Table:
    """A row for every step of the ladder; those that have no figures yet have none here."""
    columns = ["step", "requests", "errors", "goodput"]
    names = [texts[f"column.{name}"] for name in columns]
    names += [texts["column.percentiles"].format(metric=texts[f"metric.{name}"]) for name in _LATENCIES]
    names += [texts["column.output_tps"], texts["column.rps"]]
    measured = {result.step.index: result for result in steps}
    ahead = {step.index: step for step in ladder}
    rows = [
        _row(measured[index], texts)
        if index in measured
        else (step_label(ahead[index], texts), *[MISSING] * (len(names) - 1))
        for index in sorted({*measured, *ahead})
    ]
    return Table(tuple(names), tuple(rows))


def gpu_table(state: RunState, texts: Texts) -> Table:
    """A row for every GPU that told something a moment ago; none where none is watched."""
    columns = ("gpu", "utilisation", "memory", "temperature", "power")
    words = () if state.progress is None else tuple(map(words_of, state.progress.gpus))
    rows = tuple((each.name, each.utilisation, each.memory, each.temperature, each.power) for each in words)
    return Table(tuple(texts[f"site.live.gpu.{name}"] for name in columns), rows)


def _row(result: StepResult, texts: Texts) -> tuple[str, ...]:
    metrics = result.metrics
    summaries = (metrics.latency.get(name) for name in _LATENCIES)
    latencies = (
        MISSING if each is None else " / ".join(map(bare_milliseconds, (each.p50_ms, each.p95_ms, each.p99_ms)))
        for each in summaries
    )
    shares = (percent(metrics.error_rate), percent(metrics.goodput))
    label = step_label(result.step, texts)
    return (label, amount(metrics.attempts), *shares, *latencies, amount(metrics.output_tps), amount(metrics.rps))


# ---------------------------------------------------------------- for programs


def progress_document(now: Progress | None) -> Json:
    """Where the window stands; shares 0..1, rates per second, None before the first one."""
    if now is None:
        return None
    told = _numbers(asdict(replace(now, gpus=())))
    gpus = [{**_numbers(asdict(gpu)), "name": plain(gpu.name)} for gpu in now.gpus]
    return {**told, "step": plain(now.step), "phase": now.phase.value, "gpus": gpus}


def _numbers(told: Mapping[str, Json]) -> dict[str, Json]:
    return {name: number(value) if isinstance(value, float) else value for name, value in told.items()}


def steps_document(steps: Sequence[StepResult]) -> Json:
    """The steps so far, as result.json has them, without histograms."""
    return [step_document(step, Room(0)) for step in steps]


def state_document(
    state: RunState,
    steps: Sequence[StepResult],
    gates: Sequence[GateWord],
    caveats: Sequence[tuple[str | None, Caveat]],
) -> Json:
    """What stands at `/benchmark/<run_id>.json` while there is no result: `kind` tells it from one."""
    header, facts, reason = state.header, state.facts, cut_short(state.header, state.status)
    return {
        "kind": "RunState",
        "run_id": plain(header.run_id),
        "scenario": plain(header.scenario),
        "status": state.status,
        "created": plain(header.created),
        "finished": _plain(state.finished),
        "seen": None if state.seen_s is None else instant(state.seen_s),
        "verdict": _plain(state.verdict),
        "because": _plain(state.because or (None if reason is None else reason.figure)),
        "remedy": _plain(None if reason is None else reason.remedy),
        "framework": _plain(None if facts is None else facts.framework),
        "model": _plain(None if facts is None else facts.model),
        "requests": state.requests,
        "progress": progress_document(state.progress),
        "planned_steps": [step.label for step in ladder_of(state)],
        "steps": steps_document(steps),
        "gates": [{name: plain(text) for name, text in asdict(gate).items()} for gate in gates],
        "caveats": [{"step": _plain(step), "caveat": caveat_document(caveat)} for step, caveat in caveats],
    }


def instant(seconds: float) -> str:
    """Unix time as the store writes instants: UTC, ISO 8601, in milliseconds."""
    try:
        told = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return MISSING
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)
