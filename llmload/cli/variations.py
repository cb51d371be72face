"""How much the figures of a scenario differ between runs, as far as files beside it know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmload.analysis.relative_outlook import Variation
    from llmload.scenario.asked import Scenario

    Found = tuple[tuple[str, str], Variation]

_LEAST_RUNS = 3
"""Fewer runs of a baseline say nothing of how runs differ."""


def variations_of(scenario: Scenario) -> dict[tuple[str, str], Variation]:
    """From the newest calibration and the newest baseline under `reports.dir`; the calibration wins.

    Which server will be measured is not known before it is asked, so the newest file speaks, and is named. Read only
    where there are relative gates.
    """
    from dataclasses import replace

    from llmload.promises import Change

    if not any(isinstance(gate.promise, Change) for gate in scenario.gates):
        return {}
    found = dict(_of_baseline(scenario))
    for key, measured in _of_calibration(scenario):
        found[key] = replace(measured, runs=found[key].runs) if key in found else measured
    return found


def _of_calibration(scenario: Scenario) -> Iterator[Found]:
    from llmload.analysis.relative_outlook import Variation
    from llmload.store.calibration_file import find_calibrations, read_calibration

    read = [(read_calibration(path), path) for path in find_calibrations(_reports(scenario), scenario.name)]
    newest, path = max(read, key=lambda each: each[0].created, default=(None, None))
    if newest is None:
        return
    source = f"calibrated on {newest.created[:10]} with {newest.pairs} pairs, {path}"
    for label, noises in newest.steps.items():
        for figure, noise in noises.items():
            yield (label, figure), Variation(noise.cv, noise.paired_cv, source)


def _of_baseline(scenario: Scenario) -> Iterator[Found]:
    """What runs of one pair share is not known here: their variation counts as that of any two."""
    from llmload.analysis.baselines import spread_of
    from llmload.analysis.relative_outlook import Variation
    from llmload.store.baseline_file import FOLDER, files_in, read_file

    files = files_in(_reports(scenario) / FOLDER / scenario.name)
    baselines = [read_file(path).baseline(str(path)) for path in files]
    newest = max((each for each in baselines if each.runs), key=lambda each: each.runs[-1].created, default=None)
    if newest is None:
        return
    known = {(label, figure) for run in newest.runs for label, told in run.steps.items() for figure in told}
    for label, figure in sorted(known):
        spread = spread_of(newest.runs, label, figure)
        if spread is not None and spread.cv is not None and spread.runs >= _LEAST_RUNS:
            yield (
                (label, figure),
                Variation(spread.cv, spread.cv, f"{spread.runs} runs of {newest.source}", spread.runs),
            )


def _reports(scenario: Scenario) -> Path:
    return Path(scenario.reports.directory)
