"""`report.html`: one file for a browser, which asks nobody for anything. The answer first, then how sure, then why.

It stays under 600 kB: long lists are cut, worst first, and say how much is missing; where charts are too many to be
both drawn and live, they are drawn only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.terms import in_own_terms
from llmload.domain import RunResult
from llmload.reporters import capacity_sections, page, part_sections, sections, serving_sections
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.charts import run_charts
from llmload.reporters.content_sections import contents
from llmload.reporters.embedding import Figure, figures_of, pictures_of
from llmload.reporters.figures import MISSING
from llmload.reporters.span import Span, span_of
from llmload.reporters.step_columns import latencies_of, speed_of, tokens_per_s
from llmload.reporters.texts import Texts
from llmload.reporters.wording import SEVERITY, Reading, caveats, read, senders, tally, urgency
from llmload.reporters.written_sections import written
from llmload.verdict import Status, Verdict

SIZE_LIMIT = 600_000  # bytes


@dataclass(frozen=True, slots=True)
class _Room:
    """How many of each a report tells before it says how many more there are."""

    details: int
    gates: int
    steps: int
    lines: int
    letters: int  # of a written analysis


_ROOMS = (_Room(40, 200, 100, 60, 20_000), _Room(20, 100, 50, 20, 8_000), _Room(5, 20, 20, 5, 2_000))


def render(run: RunResult, texts: Texts) -> bytes:
    """A whole page in UTF-8, with as much detail as the size limit has room for."""
    live = figures_of(run_charts(run, texts))
    content = b""
    for shown in (live, pictures_of(live), ()):
        for room in _ROOMS:
            content = page.render("report.html.j2", _told(run, room, texts, shown), texts, shown)
            if len(content) < SIZE_LIMIT:
                return content
    return content


def told(run: RunResult, texts: Texts, charts: Sequence[Figure]) -> dict[str, object]:
    """What the template tells of a run, in as much detail as a report ever has."""
    return _told(run, _ROOMS[0], texts, charts)


def _told(run: RunResult, room: _Room, texts: Texts, charts: Sequence[Figure]) -> dict[str, object]:
    judged = sorted(((read(each, run.reference, texts), each) for each in run.verdicts), key=_urgency)
    server, checked = serving_sections.server(run, texts), serving_sections.checked(run, texts)
    gpus, gpu_steps = sections.gpus(run, texts), serving_sections.gpu_steps(run, texts)
    told = {
        "run": run,
        "room": room,
        "tally": tally(run, texts),
        "shares": _shares(run),
        "beside": [words for words in (compared_with(run, texts), climbs(run, texts)) if words],
        "facts": _facts(run, texts),
        "to_look_at": [reading for reading, _ in judged if reading.status is not Status.PASS],
        "caveats": caveats(run, texts),
        "gates": [(reading, _span(verdict)) for reading, verdict in judged],
        "gate_notes": _gate_notes([reading for reading, _ in judged], texts),
        "knee": sections.knee(run, texts),
        "advised": capacity_sections.recommendation(run, texts),
        "linked": {},  # a file has no pages of other runs
        "server": server,
        "server_note": serving_sections.server_note(run, texts),
        "checked": checked,
        "gpus": gpus,
        "gpu_steps": gpu_steps,
        "latencies": latencies_of(run.steps),
        "speed": speed_of(run.steps),
        "tokens_per_s": tokens_per_s,
        "step_notes": _step_notes(run, texts, room.lines),
        "parts": part_sections.part_tables(run, texts),
        "contents": contents(run, texts),
        "errors": sections.errors(run.steps, texts),
        "written": written(run.analyses, texts, room.letters),
        "provenance": sections.provenance(run, texts, room.lines),
    }
    there = {"charts": charts or told["knee"], "gpu": gpus.rows or gpu_steps.rows}
    there |= {"server": server.rows, "checks": checked.words}
    return {**told, "sections": _anchors({**told, **there}, run, texts)}


def _urgency(judged: tuple[Reading, Verdict]) -> int:
    return urgency(judged[0])


def _anchors(told: Mapping[str, object], run: RunResult, texts: Texts) -> list[tuple[str, str]]:
    """The sections that there are, in their order: anchor and heading."""
    there = {
        "what_to_look_at": told["to_look_at"],
        "caveats": told["caveats"],
        "findings": run.findings,
        "gates": told["gates"],
        "charts": told["charts"],
        "recommendation": run.recommendation,
        "steps": run.steps,
        "errors": told["errors"],
        "server": told["server"],
        "checks": told["checks"],
        "gpu": told["gpu"],
        "notices": run.notices,
        "analysis": told["written"],
        "provenance": run,
    }
    return [(name, texts[f"heading.{name}"]) for name, content in there.items() if content]


def _facts(run: RunResult, texts: Texts) -> sections.Pairs:
    """What was measured, where and when."""
    target = run.target
    told: sections.Pairs = []
    if target is not None:
        told = [("model", target.model), ("framework", sections.framework(target)), ("url", target.url)]
    told += [("run", run.header.run_id), ("created", run.header.created[:19].replace("T", " "))]
    return [(texts[f"html.fact.{name}"], value) for name, value in told]


def _shares(run: RunResult) -> list[tuple[Status, float, float]]:
    """The tally as a bar of 100 units, worst first: where each status begins, and how long it is."""
    counts = Counter(verdict.status for verdict in run.verdicts)
    total = max(1, sum(counts.values()))
    begun, told = 0.0, []
    for status in SEVERITY:
        length = 100 * counts[status] / total
        if length:
            told.append((status, round(begun, 2), round(length, 2)))
        begun += length
    return told


def _span(verdict: Verdict) -> Span | None:
    """The interval of a gate against its target."""
    if verdict.evidence is None:
        return None
    evidence = in_own_terms(verdict.gate, verdict.evidence)
    return span_of(evidence.low, evidence.high, evidence.observed, evidence.target)


def _gate_notes(told: Sequence[Reading], texts: Texts) -> list[str]:
    confidences = ", ".join(sorted({each.confidence for each in told if each.confidence != MISSING}))
    notes = [texts["html.note.interval"].format(confidence=confidences or MISSING), texts["html.note.effective"]]
    return [*notes, texts["html.note.relative"]] if any(each.is_relative for each in told) else notes


def _step_notes(run: RunResult, texts: Texts, most: int) -> list[str]:
    notes = [texts["html.note.due"]] if any(step.step.axis != "concurrency" for step in run.steps) else []
    searched = capacity_sections.searched(run, texts)
    notes += [searched] if searched else []
    sent = senders(run, texts)[:most]
    key = "html.sent_at" if len(sent) > 1 else "html.sent"
    return notes + [texts[key].format(where=where, words=words) for where, words in sent]
