"""Every report by the name of its format in a scenario: `reports.formats: [markdown, json, junit, csv]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmload.domain import RunResult
from llmload.reporters import junit, markdown, result_json, steps_csv

Render = Callable[[RunResult], bytes]

REPORTERS: Mapping[str, tuple[str, Render]] = {
    "markdown": ("report.md", markdown.render),
    "json": ("result.json", result_json.render),
    "junit": ("junit.xml", junit.render),
    "csv": ("steps.csv", steps_csv.render),
}
"""Format name -> file name within the report directory, and the function that makes its bytes."""
