"""Baselines as text for people, and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from llmload.analysis.baselines import Spread, fingerprint_id, spread_of
from llmload.analysis.power import LEAST_GATING
from llmload.analysis.wording import counted
from llmload.ci.proposal import Moved
from llmload.cli.baseline_change import Changed
from llmload.plain_text import plain
from llmload.promises import RATES, SHARES
from llmload.store.baseline_file import BaselineFile, Entry

_SHORT = 12  # characters of a commit
_TOLD = ("goodput", "error_rate", "rps", "output_tps")
_STATS, _SUBJECTS = ("mean", "p50", "p95", "p99"), ("ttft", "tpot", "e2e")
_CHIEF = (*_TOLD, *(f"{stat}({subject})" for subject in _SUBJECTS for stat in _STATS))
"""The figures that people are shown; JSON has all."""

_REVIEWED = ("goodput", "output_tps", "p50(ttft)", "p95(ttft)", "p50(tpot)", "p50(e2e)")
"""Those by which a reviewer sees what a baseline became."""

_Found = Sequence[tuple[Path, BaselineFile]]


def list_text(found: _Found) -> str:
    """One line a file."""
    lines: list[tuple[str, ...]] = [("scenario", "id", "runs", "last change", "reason")]
    for _, file in found:
        last = file.history[-1] if file.history else None
        at, reason = (last.at, last.reason) if last else ("", "")
        lines.append((file.scenario, fingerprint_id(file.fingerprint), str(len(file.runs)), at, plain(reason, 80)))
    return _columns(lines)


def list_json(found: _Found) -> str:
    """An array with one object a file."""
    return _dumped([_head(path, file) for path, file in found])


def show_text(path: Path, file: BaselineFile) -> str:
    """Fingerprint, runs, spreads and history of one file."""
    advisory = "" if len(file.runs) >= LEAST_GATING else f", advisory: fewer than {LEAST_GATING}"
    parts = [f"{plain(str(path))}: {file.scenario}, {counted(len(file.runs), 'run')}{advisory}\n"]
    parts.append(_columns([(f"  {plain(key, 60)}", plain(value)) for key, value in sorted(file.fingerprint.items())]))
    if file.runs:
        runs = [("run", "created", "commit", "llmload")]
        runs += [(r.past.run_id, r.past.created, r.past.commit[:_SHORT], r.version) for r in file.runs]
        parts.append(_columns([tuple(plain(cell, 60) for cell in line) for line in runs]))
        parts.append(_columns(_spreads(file)))
    if file.history:
        history = [("at", "action", "runs", "reason")]
        history += [(each.at, each.action.value, _numbers(each), plain(each.reason)) for each in file.history]
        parts.append(_columns(history))
    return "\n".join(parts)


def show_json(found: _Found) -> str:
    """An array with one object a file: every figure's mean and spread, the runs and the history."""
    return _dumped(
        [
            {
                **_head(path, file),
                "fingerprint": {plain(key): plain(value, 20_000) for key, value in file.fingerprint.items()},
                "runs": [
                    {
                        "run_id": plain(run.past.run_id),
                        "created": run.past.created,
                        "commit": plain(run.past.commit),
                        "llmload_version": plain(run.version),
                    }
                    for run in file.runs
                ],
                "figures": {
                    plain(step): {plain(figure): _spread(file, step, figure) for figure in figures}
                    for step, figures in _figures(file).items()
                },
                "history": [_entry(each) for each in file.history],
            }
            for path, file in found
        ]
    )


def changed_text(changed: Changed) -> str:
    """What was done, and what to know of it."""
    file, entry = changed.file, changed.entry
    told = counted(len(file.runs), "run")
    lines = [f"{changed.path}: {told}, {_numbers(entry)}" if entry else f"{changed.path}: {told}, nothing changed"]
    if entry is not None and entry.since is not None:
        lines.append(f"Runs before {entry.since} no longer count.")
    lines += [f"note: {notice}" for notice in changed.notices]
    if entry is not None:
        lines.append("Commit the file, so that it can be reviewed and others are held against it.")
    return "".join(f"{plain(line, 1000)}\n" for line in lines)


def changed_json(changed: Changed) -> str:
    """The same as one object; `entry` is null where nothing was changed."""
    return _dumped(
        {
            **_head(changed.path, changed.file),
            "entry": None if changed.entry is None else _entry(changed.entry),
            "notices": list(changed.notices),
        }
    )


def moved(before: BaselineFile | None, now: BaselineFile) -> tuple[Moved, ...]:
    """The chief figures of a baseline, before a change of it and after."""
    pasts = [run.past for run in now.runs]
    old = [] if before is None else [run.past for run in before.runs]
    found: list[Moved] = []
    for step, figures in _figures(now).items():
        for figure in (name for name in _REVIEWED if name in figures):
            spread, was = spread_of(pasts, step, figure), spread_of(old, step, figure)
            if spread is not None:
                told = "" if was is None else _mean(figure, was)
                change = "" if was is None else _change(figure, was.mean, spread.mean)
                cv = "" if spread.cv is None else f"{spread.cv:.1%}"
                found.append(Moved(step, figure, told, _mean(figure, spread), change, cv))
    return tuple(found)


# ---------------------------------------------------------------- parts


def _change(figure: str, before: float, now: float) -> str:
    """In percent, of shares in percentage points; nothing where one of the two is infinite or there was nothing."""
    if figure in SHARES:
        return f"{(now - before) * 100:+.2f} points"
    return f"{now / before - 1:+.1%}" if before > 0 and math.isfinite(now) and math.isfinite(before) else ""


def _head(path: Path, file: BaselineFile) -> dict[str, object]:
    last = file.history[-1] if file.history else None
    return {
        "file": plain(str(path)),
        "scenario": file.scenario,
        "id": fingerprint_id(file.fingerprint),
        "run_count": len(file.runs),
        "is_advisory": len(file.runs) < LEAST_GATING,
        "since": file.since or None,
        "last_change": None if last is None else last.at,
        "reason": None if last is None else plain(last.reason),
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "at": entry.at,
        "action": entry.action.value,
        "reason": plain(entry.reason),
        "added": [plain(run_id) for run_id in entry.added],
        "removed": [plain(run_id) for run_id in entry.removed],
        "since": entry.since,
    }


def _numbers(entry: Entry) -> str:
    return f"{len(entry.added)} added, {len(entry.removed)} removed"


def _figures(file: BaselineFile) -> dict[str, list[str]]:
    """The figures of every step, both in the order of the newest run that has them."""
    found: dict[str, list[str]] = {}
    for run in reversed(file.runs):
        for step, estimates in run.past.steps.items():
            figures = found.setdefault(step, [])
            figures += [name for name in estimates if name not in figures]
    return found


def _spreads(file: BaselineFile) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("step", "figure", "mean", "CV", "runs")]
    pasts = [run.past for run in file.runs]
    for step, figures in _figures(file).items():
        for figure in (name for name in _CHIEF if name in figures):
            spread = spread_of(pasts, step, figure)
            if spread is not None:
                cv = "n/a" if spread.cv is None else f"{spread.cv:.1%}"
                lines.append((plain(step, 60), figure, _mean(figure, spread), cv, str(spread.runs)))
    return lines


def _mean(figure: str, spread: Spread) -> str:
    if math.isinf(spread.mean):
        return "never"  # some run has attempts that never ended within it
    if figure in SHARES:
        return f"{spread.mean:.2%}"
    if figure in RATES:
        return f"{spread.mean:.4g}{'/s' if figure == 'rps' else ' tok/s'}"
    return f"{spread.mean:.4g} ms"


def _spread(file: BaselineFile, step: str, figure: str) -> dict[str, object]:
    spread = spread_of([run.past for run in file.runs], step, figure)
    assert spread is not None  # noqa: S101 - the figure is of one of the runs
    return {"runs": spread.runs, "mean": None if math.isinf(spread.mean) else spread.mean, "cv": spread.cv}


def _columns(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))] if lines else []
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
