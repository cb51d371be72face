"""What reports tell of answers that were more than text: reasoning and calls of tools, as rows not yet escaped.

Steps without any are left out, and so is all of it where no step has some.
"""

from __future__ import annotations

from llmload.domain import RunResult, StepMetrics
from llmload.reporters.figures import amount, percent
from llmload.reporters.part_sections import latency_words
from llmload.reporters.sections import Table, without_empty
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label


def contents(run: RunResult, texts: Texts) -> Table:
    """How many answers of each step reasoned and called tools, and when the first text and the first output came."""
    headings = (
        texts["column.step"],
        texts["contents.completed"],
        texts["contents.reasoned"],
        texts["contents.called_tools"],
        texts["contents.reasoning_tokens"],
        texts["parts.percentiles"].format(metric=texts["metric.ttft"]),
        texts["parts.percentiles"].format(metric=texts["metric.ttfo"]),
    )
    rows = [
        (step_label(step.step, texts), *_cells(step.metrics))
        for step in run.steps
        if step.metrics.reasoned or step.metrics.called_tools
    ]
    return without_empty(headings, rows)


def _cells(metrics: StepMetrics) -> tuple[str, ...]:
    return (
        amount(metrics.ok),
        amount(metrics.reasoned),
        amount(metrics.called_tools),
        percent(reasoning_share(metrics)),
        latency_words(metrics, "ttft"),
        latency_words(metrics, "ttfo"),
    )


def reasoning_share(metrics: StepMetrics) -> float | None:
    """Of the output tokens; None where the server does not count them, or tells more than there were."""
    if metrics.reasoning_tokens is None or not metrics.output_tokens:
        return None
    share = metrics.reasoning_tokens / metrics.output_tokens
    return share if share <= 1 else None
