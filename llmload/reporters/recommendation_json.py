"""A recommendation alone as JSON: `llmload recommend --json`, `--output FILE.json`; names as in `result.json`."""

from __future__ import annotations

import json

from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.capacity_document import recommendation_document
from llmload.reporters.step_document import Json


def render(run: RunResult) -> bytes:
    """The run that it comes from, demand, measurement, advice; only the run where it recommends nothing."""
    header, model = run.header, None if run.target is None else run.target.model
    document: dict[str, Json] = {
        "run_id": plain(header.run_id),
        "created": plain(header.created),
        "scenario": plain(header.scenario),
        "model": None if model is None else plain(model),
    }
    if run.recommendation is not None:
        told = recommendation_document(run.recommendation)
        document |= told if isinstance(told, dict) else {}
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
