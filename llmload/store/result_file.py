"""Reads a result.json back as far as runs are compared by it: figures, estimates, fingerprint, and what spoils them.

Such a file may come from anywhere. Whatever in it cannot be trusted is a fault with its path, and nothing of it is
compared then; fields that this version does not know are skipped, since version 1 grows by further fields.
`result_document.py` reads all of a run.
"""

from __future__ import annotations

from pathlib import Path

from llmload.analysis.comparison import ComparedRun
from llmload.domain import StepResult
from llmload.planned import Step
from llmload.store.places import Place, document_of, refuse_faults
from llmload.store.result_figures import caveats_of, estimates_of, metrics_of, parts_of, repeats_of
from llmload.verdict import Status

API_VERSION = "llmload/result/v1"
LARGEST = 10_000_000  # bytes; result.json has at most 200,000
MOST_STEPS = 1_000
AXES = ("concurrency", "rate", "speed")
REMEDY = "Name a result.json that llmload wrote, or a run of the store"


def read_result(path: Path) -> ComparedRun:
    """The run that `path` tells of; DataFileError names every place that cannot be trusted."""
    document = document_of(path, API_VERSION, LARGEST, REMEDY)
    run = _run(document, str(path))
    refuse_faults(path, document, REMEDY)
    return run


def _run(document: Place, name: str) -> ComparedRun:
    return ComparedRun(
        name=name,
        run_id=document.at("run_id").text(),
        scenario=document.at("scenario").text(),
        created=document.at("created").text(),
        status=document.at("verdict").word(Status),
        fingerprint={key: place.text() for key, place in document.at("fingerprint").members()},
        steps=_steps(document.at("steps")),
    )


def _steps(place: Place) -> tuple[StepResult, ...]:
    found: dict[tuple[str, float], StepResult] = {}
    for index, each in enumerate(place.each(MOST_STEPS)):
        step = Step(index, each.at("axis").one_of(*AXES), each.at("value").number())
        if (step.axis, step.value) in found:
            each.wrong("is a step that stands there twice")
        found[step.axis, step.value] = StepResult(
            step,
            (),
            metrics_of(each.at("metrics")),
            (),
            tuple(caveats_of(each.at("caveats"))),
            estimates=estimates_of(each.at("estimates")),
            repeats=repeats_of(each.at("repeats")),
            parts=tuple(parts_of(each.at("parts"))),
        )
    return tuple(found.values())
