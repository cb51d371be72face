"""Every report by the name of its format in a scenario, as in `reports.formats: [markdown, html, excel]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmload.analysis.comparison import Comparison
from llmload.domain import RunResult
from llmload.reporters import (
    comparison_html,
    comparison_json,
    comparison_markdown,
    html,
    junit,
    markdown,
    parts_csv,
    result_json,
    steps_csv,
)
from llmload.reporters.texts import Texts

Files = Mapping[str, bytes]
"""File name within the report directory -> content. The first one is the report itself, others lie beside it."""

Render = Callable[[RunResult, Texts], Files]
RenderComparison = Callable[[Comparison, Texts], Files]


def _untranslated(name: str, render: Callable[[RunResult], bytes]) -> Render:
    """One file that machines read, the same in every language."""
    return lambda run, _: {name: render(run)}


def _csv(run: RunResult, _: Texts) -> Files:
    """Parts of the traffic have a file of their own: rows of `steps.csv` are steps to other tools."""
    files = {"steps.csv": steps_csv.render(run)}
    return files | {"parts.csv": parts_csv.render(run)} if any(step.parts for step in run.steps) else files


def _excel(run: RunResult, texts: Texts) -> Files:
    from llmload.reporters import excel  # openpyxl takes a while to load

    return {"report.xlsx": excel.render(run, texts)}


def _excel_comparison(comparison: Comparison, texts: Texts) -> Files:
    from llmload.reporters import excel

    return {"comparison.xlsx": excel.render_comparison(comparison, texts)}


REPORTERS: Mapping[str, Render] = {
    "markdown": markdown.render,
    "html": lambda run, texts: {"report.html": html.render(run, texts)},
    "excel": _excel,
    "json": _untranslated("result.json", result_json.render),
    "junit": _untranslated("junit.xml", junit.render),
    "csv": _csv,
}
"""Format name -> the function that makes its files. Each is a pure function: same run, same texts, same bytes."""

COMPARISON_REPORTERS: Mapping[str, RenderComparison] = {
    "markdown": comparison_markdown.render_files,
    "html": lambda comparison, texts: {"comparison.html": comparison_html.render(comparison, texts)},
    "excel": _excel_comparison,
    "json": lambda comparison, _: {"comparison.json": comparison_json.render(comparison)},
}
"""The same for several runs side by side; the other formats tell of one run only."""
