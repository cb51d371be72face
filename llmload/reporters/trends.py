"""The trends of a scenario, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from llmload.analysis.trend import LeftOut, ScenarioTrends, Shift, Trend
from llmload.baseline import PastRun
from llmload.plain_text import plain
from llmload.promises import SHARES
from llmload.reporters.comparison_wording import signed, value
from llmload.reporters.sparkline import sparkline
from llmload.reporters.step_document import Json, number

_MOST_TEXT = 80  # characters of one foreign text
_COMMIT = 12


# ---------------------------------------------------------------- for people


def render_text(told: Sequence[ScenarioTrends]) -> bytes:
    """A sparkline for each figure, oldest run on the left, and its shifts below."""
    lines = [line for each in told for line in _scenario(each)] or ["No finished runs."]
    return "".join(f"{line}\n" for line in lines).encode()


def _scenario(told: ScenarioTrends) -> Iterator[str]:
    yield f"{plain(told.scenario, _MOST_TEXT)}: {told.runs:,} {'run' if told.runs == 1 else 'runs'}"
    yield from (f"  left out: {_left_out(each)}" for each in told.others)
    step = None
    for trend in told.trends:
        if trend.step != step:
            step = trend.step
            yield f"  {plain(step, _MOST_TEXT)}"
        yield from _trend(trend)


def _left_out(left: LeftOut) -> str:
    runs = f"{left.runs:,} {'run' if left.runs == 1 else 'runs'}"
    return f"{runs} with another {' and '.join(left.differing)}" if left.differing else f"{runs} that could not measure"


def _trend(trend: Trend) -> Iterator[str]:
    if not trend.values:
        yield f"    {trend.figure}: no run has it"
        return
    first, last = (value(trend.figure, each) for each in (trend.values[0], trend.values[-1]))
    lacking = f", {trend.left_out:,} without it" if trend.left_out else ""
    yield f"    {trend.figure:<12}  {sparkline(trend.values)}  {first} -> {last}{lacking}"
    yield from (f"      {_shift(trend.figure, each)}" for each in trend.shifts)


def _shift(figure: str, shift: Shift) -> str:
    run = shift.run
    commit = f", commit {plain(run.commit, _COMMIT + 20)[:_COMMIT]}" if run.commit else ""
    levels = f"{value(figure, shift.before)} -> {value(figure, shift.after)}"
    told = (
        f"{_change(figure, shift)} from {plain(run.run_id, _MOST_TEXT)} ({plain(run.created[:10])}{commit}): {levels}"
    )
    changed = [
        f"{plain(each.key, _MOST_TEXT)} {plain(each.theirs, _MOST_TEXT) or 'not told'}"
        f" -> {plain(each.ours, _MOST_TEXT) or 'not told'}"
        for each in shift.differing
    ]
    notes = [told, f"p {_p(shift.p)}", *changed]
    if shift.accepted is not None:
        notes.append(f"accepted: {plain(shift.accepted)}")
    return "; ".join(notes)


def _change(figure: str, shift: Shift) -> str:
    return signed(shift.change(figure)) + (" points" if figure in SHARES else "%")


def _p(p: float) -> str:
    return f"{p:.1e}" if p >= 1e-99 else "< 1e-99"


# ---------------------------------------------------------------- for machines


def render_json(told: Sequence[ScenarioTrends]) -> bytes:
    """An array of scenarios; latencies ms, shares 0..1, rates per second."""
    option = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps([document(each) for each in told], option=option)


def document(told: ScenarioTrends) -> dict[str, Json]:
    """One scenario of the array."""
    return {
        "scenario": plain(told.scenario),
        "runs": told.runs,
        "left_out": [_left_out(each) for each in told.others],
        "trends": [_trend_document(trend) for trend in told.trends],
    }


def _trend_document(trend: Trend) -> Json:
    return {
        "step": plain(trend.step),
        "figure": trend.figure,
        "points": [{**_run(run), "value": number(each)} for run, each in zip(trend.runs, trend.values, strict=True)],
        "without": trend.left_out,
        "shifts": [
            {
                **_run(shift.run),
                "before": number(shift.before),
                "after": number(shift.after),
                "change": number(shift.change(trend.figure)),
                "p": shift.p,
                "differing": [
                    {"key": plain(each.key), "theirs": plain(each.theirs), "ours": plain(each.ours)}
                    for each in shift.differing
                ],
                "accepted": None if shift.accepted is None else plain(shift.accepted),
            }
            for shift in trend.shifts
        ],
    }


def _run(run: PastRun) -> dict[str, Json]:
    return {"run_id": plain(run.run_id), "created": plain(run.created), "commit": plain(run.commit)}
