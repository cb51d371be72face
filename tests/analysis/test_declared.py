"""What was declared against what the server tells: spellings differ, values are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pytest
from annotated_types import Ge

from llmload.analysis.declared import actual_settings, disagreements
from llmload.domain import TargetFacts
from llmload.verdict import Finding
from tests.recorded_runs import CLEAN

CAUSE = "the server runs with another value than the scenario declares; correct framework_config or restart the server"


@dataclass(frozen=True)
class Settings:
    share: Annotated[float, Ge(0)] = 0.9
    size: Annotated[int, Ge(1)] = 1
    length: Annotated[int, Ge(1)] | None = None
    cache: bool | None = None
    method: Literal["awq", "fp8", "none"] = "none"
    path: str = ""


@pytest.mark.parametrize(
    ("name", "told", "read"),
    [
        ("share", "0.92", 0.92),
        ("share", 1, 1.0),
        ("share", "NaN", "NaN"),
        ("size", "8", 8),
        ("size", 8.0, 8),
        ("size", "8.5", "8.5"),
        ("length", "None", None),
        ("length", None, None),
        ("length", 4096, 4096),
        ("cache", "True", True),
        ("cache", "false", False),
        ("cache", "None", None),
        ("method", "FP8", "fp8"),
        ("method", None, "none"),
        ("method", "None", "none"),
        ("method", "gguf", "gguf"),
        ("path", " models/tiny ", " models/tiny "),
    ],
)
def test_a_told_value_is_read_as_the_type_of_its_setting(name: str, told: object, read: object) -> None:
    found = actual_settings(Settings, {name: told})
    assert (found, type(found[name])) == ({name: read}, type(read))


@pytest.mark.parametrize(
    "told", [{"size": None}, {"size": "null"}, {"size": [8]}, {"size": {"value": 8}}, {"another": 8}, {}]
)
def test_what_tells_no_setting_is_nothing_told(told: Mapping[str, object]) -> None:
    assert actual_settings(Settings, told) == {}


def facts(settings: Mapping[str, object], actual: Mapping[str, object], *declared: str) -> TargetFacts:
    assert CLEAN.target is not None
    return replace(CLEAN.target, settings=settings, actual=actual, declared=declared)


def test_a_declared_setting_that_the_server_has_otherwise_is_a_finding_with_both_values() -> None:
    found = disagreements(facts({"share": 0.9, "cache": True}, {"share": 0.92, "cache": False}, "share", "cache"))
    assert found == (
        Finding("framework_config.cache", "true", "false", CAUSE, kind="declared"),
        Finding("framework_config.share", "0.9", "0.92", CAUSE, kind="declared"),
    )


@pytest.mark.parametrize(
    ("declared", "actual"),
    [(0.9, 0.8999999761581421), (1, 1.0), ("fp8", "FP8"), (True, True), (None, 8192), ("none", "none")],
)
def test_the_same_in_another_spelling_and_what_was_left_to_the_server_are_no_findings(
    declared: object, actual: object
) -> None:
    assert disagreements(facts({"x": declared}, {"x": actual}, "x")) == ()


@pytest.mark.parametrize(
    ("declared", "actual"), [(1, True), (False, 0), (8, "8.5"), ("fp8", None), (0.9, 0.9001), (2**20, 2**20 + 1)]
)
def test_values_that_only_look_alike_are_findings(declared: object, actual: object) -> None:
    assert len(disagreements(facts({"x": declared}, {"x": actual}, "x"))) == 1


def test_an_assumed_setting_is_corrected_and_is_no_finding() -> None:
    corrected = facts({"share": 0.9, "size": 1}, {"share": 0.92})
    assert disagreements(corrected) == ()
    assert corrected.in_force == {"share": 0.92, "size": 1}
