"""How much the figures of a scenario differ between runs, as far as files beside it know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmload.analysis.relative_outlook import Variation, Variations
    from llmload.scenario.asked import Scenario


def variations_of(scenario: Scenario) -> Variations:
    """From the newest calibration under `reports.dir`; nothing where there is none.

    Which server will be measured is not known before it is asked, so the newest file speaks, and is named.
    """
    from llmload.analysis.relative_outlook import Variation
    from llmload.promises import Change
    from llmload.store.calibration_file import find_calibrations, read_calibration

    found: dict[tuple[str, str], Variation] = {}
    if not any(isinstance(gate.promise, Change) for gate in scenario.gates):
        return found
    files = find_calibrations(Path(scenario.reports.directory), scenario.name)
    read = [(read_calibration(path), path) for path in files]
    if not read:
        return found
    newest, path = max(read, key=lambda each: each[0].created)
    source = f"calibrated on {newest.created[:10]} with {newest.pairs} pairs, {path}"
    for label, noises in newest.steps.items():
        for figure, noise in noises.items():
            found[label, figure] = Variation(noise.cv, noise.paired_cv, source)
    return found
