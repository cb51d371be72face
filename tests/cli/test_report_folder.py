"""Where reports of a stored run go: a store may come from anyone, and chooses no folder outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmload.cli.stored import report_folder
from llmload.domain import RunResult
from llmload.errors import UsageError
from llmload.scenario.loader import load_text
from tests.recorded_runs import CLEAN

_SCENARIO = """
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: quickstart}}
spec:
  target: {{simulator: {{}}}}
  load: {{concurrency: [1]}}
  slo: {{ttft: 500ms}}
  reports: {{dir: {folder}}}
"""


def wanting(folder: str, scenario: str = "quickstart") -> RunResult:
    resolved = load_text(_SCENARIO.format(folder=folder), "x.yaml", env={}, directory=Path()).document.resolved
    return replace(CLEAN, header=replace(CLEAN.header, resolved=resolved, scenario=scenario))


def test_a_folder_below_the_working_directory_is_taken() -> None:
    assert report_folder(wanting("build/reports"), None) == Path("build/reports/quickstart")


@pytest.mark.parametrize("folder", ["/etc", "../elsewhere", "build/../../elsewhere"])
def test_any_other_folder_has_to_be_named_by_the_user(folder: str) -> None:
    with pytest.raises(UsageError, match="outside of the working directory"):
        report_folder(wanting(folder), None)
    assert report_folder(wanting(folder), Path("/tmp/mine")) == Path("/tmp/mine/quickstart")


@pytest.mark.parametrize("scenario", ["..", "", "../x", "a/b", "a\\b"])
def test_a_scenario_whose_name_is_no_folder_has_no_reports(scenario: str) -> None:
    with pytest.raises(UsageError, match="no name of a folder"):
        report_folder(wanting("reports", scenario), Path("mine"))
