"""What a baseline file may hold, as JSON Schema: `schemas/baseline-v1.schema.json` is this, and a test holds it so."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from llmload.store.comparison import Told

API_VERSION = "llmload/baseline/v1"
KIND = "Baseline"

MOST_RUNS = 100
MOST_STEPS = 200
LONGEST_TEXT = 400  # characters of an id, a label or a reason
LONGEST_TERM = 20_000  # of one key of a fingerprint: framework_config holds every setting

Schema = dict[str, object]


class RunDocument(TypedDict):
    """One run of a file that keeps the schema."""

    run_id: str
    created: str
    commit: str
    llmload_version: str
    steps: dict[str, dict[str, Told]]


class HistogramDocument(TypedDict):
    """One histogram of such a file."""

    bounds_ms: list[float]
    counts: list[int]


class EntryDocument(TypedDict):
    """One line of its history."""

    at: str
    action: str
    reason: str
    added: list[str]
    removed: list[str]
    since: NotRequired[str]


class Document(TypedDict):
    """The whole file."""

    apiVersion: str
    kind: str
    scenario: str
    fingerprint: dict[str, str]
    runs: list[RunDocument]
    histograms: dict[str, dict[str, HistogramDocument]]
    history: list[EntryDocument]


_TEXT: Schema = {"type": "string", "maxLength": LONGEST_TEXT}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_INSTANT: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$",
    "description": "UTC, ISO 8601",
}
_FIGURE: Schema = {"type": "number", "minimum": 0, "maximum": 1e300}
_VALUE: Schema = {"anyOf": [_FIGURE, {"const": "inf"}]}
_ESTIMATE: Schema = {
    "description": "The value over attempts, in the unit of the figure (ms, share 0..1, per second); "
    '"inf" where only failed attempts reach it. With it, where known, the standard error of its logarithm.',
    "anyOf": [
        *_VALUE["anyOf"],  # type: ignore[misc]  # the list just above
        {"type": "array", "prefixItems": [_VALUE, _FIGURE], "minItems": 2, "maxItems": 2},
    ],
}


def _members(value: Schema, most: int, description: str = "") -> Schema:
    told: Schema = {"description": description} if description else {}
    names = {"minLength": 1, "maxLength": LONGEST_TEXT}
    return {**told, "type": "object", "maxProperties": most, "propertyNames": names, "additionalProperties": value}


def _object(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


_STEPS = _members(
    _members(_ESTIMATE, 200, "By the words of a gate, such as p95(ttft)."),
    MOST_STEPS,
    "What the run came to, by the label of the step.",
)
_RUN = _object(
    {
        "run_id": _NAME,
        "created": _INSTANT,
        "commit": {**_TEXT, "description": 'Of the code that was measured; "" where nobody knew it.'},
        "llmload_version": _NAME,
        "steps": _STEPS,
    }
)
_NUMBERS: Schema = {"type": "array", "items": _FIGURE, "maxItems": 1000}
_HISTOGRAM = {
    **_object({"bounds_ms": _NUMBERS, "counts": {**_NUMBERS, "items": {"type": "integer", "minimum": 0}}}),
    "description": "bounds_ms[i] is the upper edge of the bucket that holds counts[i] requests of all runs together.",
}
_RUN_IDS: Schema = {"type": "array", "items": _NAME, "maxItems": MOST_RUNS}
_ENTRY = _object(
    {
        "at": _INSTANT,
        "action": {"enum": ["update", "accept"]},
        "reason": _NAME,
        "added": _RUN_IDS,
        "removed": _RUN_IDS,
        "since": {**_INSTANT, "description": "accept: runs before it are of the level that was left."},
    },
    optional=("since",),
)

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "llmload baseline",
    "description": "Runs of one scenario under one fingerprint, which others are compared with. "
    "Reviewed data: written by `llmload baseline update` and `llmload baseline accept` only.",
    **_object(
        {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "scenario": {**_NAME, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"},
            "fingerprint": _members(
                {"type": "string", "maxLength": LONGEST_TERM}, 100, "What must be the same for runs to be compared."
            ),
            "runs": {"type": "array", "items": _RUN, "maxItems": MOST_RUNS, "description": "Oldest first."},
            "histograms": _members(
                _members(_HISTOGRAM, 20),
                MOST_STEPS,
                "Latencies of the ok requests of all runs, by step and metric; none where they would be too large.",
            ),
            "history": {"type": "array", "items": _ENTRY, "maxItems": 1000, "description": "Oldest first."},
        }
    ),
}
