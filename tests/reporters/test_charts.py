"""Charts say what a run has, with units, in every language, and never draw what was not measured."""

from __future__ import annotations

import pytest

from llmload.domain import RunResult
from llmload.reporters import drawing
from llmload.reporters.charts import run_charts
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TROUBLE

RUNS = [
    pytest.param(CLEAN, id="clean"),
    pytest.param(TROUBLE, id="full of trouble"),
    pytest.param(FROM_LOADTEST, id="imported"),
]


@pytest.mark.parametrize("run", RUNS)
def test_every_chart_is_drawn(run: RunResult) -> None:
    for chart in run_charts(run, texts_in(Language.EN)):
        assert drawing.svg(chart).startswith(b"<svg"), chart.name
        assert chart.title
        assert chart.summary.endswith(".")
