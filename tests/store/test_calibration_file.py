"""Calibrations on disk: what is written is read again, and what was spoilt is named by its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.analysis.calibration import Calibration, Noise
from llmload.errors import DataFileError, StoreError
from llmload.store.calibration_file import (
    calibration_path,
    find_calibrations,
    read_calibration,
    render_calibration,
    write_calibration,
)
from tests.reporters.test_result_json import closed

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "calibration-v1.schema.json").read_text())
NOISE = Noise(12.5, 0.03, 0.02, {5: 0.06, 8: 0.05, 12: 0.04}, {8: 0.11, 20: 0.09})
CALIBRATION = Calibration(
    scenario="chat",
    created="2026-11-21T12:00:00.000Z",
    version="0.1.0",
    fingerprint={"gpu": "H100", "model": "tiny"},
    confidence=0.95,
    pairs=6,
    runs=("run-a", "run-b"),
    steps={"concurrency 8": {"p95(ttft)": NOISE, "goodput": NOISE}},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = calibration_path(tmp_path, "chat", "0123456789ab")
    write_calibration(CALIBRATION, found)
    return found


def test_what_is_written_is_read_again(path: Path) -> None:
    assert read_calibration(path) == CALIBRATION
    assert path.read_bytes() == render_calibration(CALIBRATION)


def test_it_lies_beside_the_baselines_and_is_found_there(path: Path, tmp_path: Path) -> None:
    assert path == tmp_path / "baselines/chat/0123456789ab.calibration.json"
    (path.parent / "0123456789ab.json").write_text("{}")
    assert find_calibrations(tmp_path, "chat") == (path,)
    assert find_calibrations(tmp_path, "other") == ()


def test_it_is_what_its_schema_says_and_nothing_else(path: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(closed(SCHEMA)).validate(json.loads(path.read_bytes()))


def test_the_schema_asks_for_all_that_is_written(path: Path) -> None:
    def required(schema: object, told: object, where: str = "") -> None:
        if isinstance(schema, dict) and "properties" in schema and isinstance(told, dict):
            assert sorted(schema["required"]) == sorted(schema["properties"]) == sorted(told), where
            for name, inner in schema["properties"].items():
                required(inner, told[name], f"{where}.{name}")

    document = json.loads(path.read_bytes())
    required({**SCHEMA, "properties": SCHEMA["properties"]}, document)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param('"cv": 0.03', '"cv": "x"', "steps.concurrency 8.goodput.cv: is not a number", id="a word"),
        pytest.param('"cv": 0.03', '"cv": -1', "cv: is below 0", id="below zero"),
        pytest.param('"cv": 0.03', '"cv": true', "cv: is not a number", id="true"),
        pytest.param('"paired_cv"', '"other"', "has no paired_cv", id="a member gone"),
        pytest.param('"12": 0.04', '"13": 0.04', "reachable_margin.pairs: has no 12", id="a margin gone"),
        pytest.param("calibration/v1", "calibration/v9", "apiVersion: is not llmload/calibration/v1", id="version"),
        pytest.param('"run-a"', "7", "runs[0]: is not a text", id="in a list"),
        pytest.param('"confidence": 0.95', '"confidence": 95', "confidence: is not between 0.5 and 1", id="percent"),
        pytest.param('"pairs": 6,', '"pairs": 6', ".calibration.json:", id="not JSON"),
    ],
)
def test_a_spoilt_file_is_refused_at_its_place(path: Path, old: str, new: str, words: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataFileError) as refused:
        read_calibration(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"[]", "document: is not an object", id="a list"),
        pytest.param(b"[" * 100_000, "is not JSON", id="too deep"),
        pytest.param(b"\xff{}", "is not JSON", id="not UTF-8"),
        pytest.param(b" " * 4_000_001, "is larger than", id="too large"),
    ],
)
def test_what_is_no_calibration_is_refused(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=words):
        read_calibration(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read: no such file"):
        read_calibration(tmp_path / "none.calibration.json")


def test_a_disk_that_says_no_leaves_the_old_file(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_calibration(CALIBRATION, path / "below a file.json")
    assert read_calibration(path) == CALIBRATION
