"""Every reporter tells the same recorded runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from llmload.domain import RunResult
from llmload.reporters import junit
from llmload.reporters.registry import REPORTERS, Render
from llmload.reporters.texts import Language, texts_in
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TALKS, TROUBLE
from tests.reporters.gallery import SHOWN
from tests.reporters.goldens_on_disk import assert_golden

ENGLISH = texts_in(Language.EN)
STRICT = "junit-strict.xml"
FORMATS: list[tuple[str, Render]] = [
    ("report.md", REPORTERS["markdown"]),
    ("result.json", REPORTERS["json"]),
    ("junit.xml", REPORTERS["junit"]),
    ("steps.csv", REPORTERS["csv"]),
    (STRICT, lambda run, _: {STRICT: junit.render_strict(run)}),
]
SIZE_LIMITS = {"report.md": 80_000, "result.json": 200_000}
RUNS = [
    pytest.param(CLEAN, "clean", id="clean"),
    pytest.param(TROUBLE, "trouble", id="full of trouble"),
    pytest.param(FROM_LOADTEST, "imported", id="imported"),
    pytest.param(REGRESSED, "regressed", id="measured in turns"),
    pytest.param(ADVISED, "advised", id="against three runs"),
    pytest.param(UNLIKE, "unlike", id="against none like it"),
    pytest.param(TALKS, "talks", id="of classes and conversations"),
]


TOLD = [
    pytest.param(*run.values, file, render, id=f"{file}-{run.id}")
    for run in RUNS
    for file, render in FORMATS
    if run.values[1] not in SHOWN or file == STRICT
]
"""What the gallery does not hold already."""


@pytest.mark.parametrize(("run", "name", "file", "render"), TOLD)
def test_a_recorded_run_is_told_as_reviewed(
    run: RunResult, name: str, file: str, render: Render, update_goldens: bool
) -> None:
    assert_golden(f"{name}-{file}", render(run, ENGLISH)[file], update=update_goldens)


def test_the_parts_of_traffic_have_a_file_of_their_own(update_goldens: bool) -> None:
    assert list(REPORTERS["csv"](CLEAN, ENGLISH)) == ["steps.csv"]
    steps, parts = REPORTERS["csv"](TALKS, ENGLISH).items()
    assert (steps[0], parts[0]) == ("steps.csv", "parts.csv")
    assert_golden("talks-parts.csv", parts[1], update=update_goldens)


@pytest.mark.parametrize(("run", "name"), RUNS)
@pytest.mark.parametrize(("file", "render"), FORMATS, ids=[name for name, _ in FORMATS])
def test_a_report_is_utf_8_without_control_characters_and_within_its_size(
    run: RunResult, name: str, file: str, render: Render
) -> None:
    text = render(run, ENGLISH)[file].decode()
    assert not [character for character in text if ord(character) < 32 and character != "\n"]
    assert not set(text) & set("\x7f\x9b\u202e\ufffe\ud800")
    assert len(text.encode()) < SIZE_LIMITS.get(file, 200_000), name


def test_the_same_run_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from tests.recorded_runs import TROUBLE; from llmload.reporters.registry import REPORTERS;"
        "from llmload.reporters.texts import Language, texts_in; files = [render(TROUBLE, texts_in(Language.EN))"
        " for render in REPORTERS.values()];"
        "[print(name, hashlib.sha256(content).hexdigest()) for each in files for name, content in each.items()]"
    )
    files = [render(TROUBLE, ENGLISH) for render in REPORTERS.values()]
    mine = {name: hashlib.sha256(content).hexdigest() for each in files for name, content in each.items()}
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    told = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": other}, check=True, capture_output=True, text=True
    ).stdout
    assert dict(line.split() for line in told.splitlines()) == mine


def test_every_format_writes_its_own_file() -> None:
    assert {name: next(iter(render(CLEAN, ENGLISH))) for name, render in REPORTERS.items()} == {
        "markdown": "report.md",
        "html": "report.html",
        "excel": "report.xlsx",
        "json": "result.json",
        "junit": "junit.xml",
        "csv": "steps.csv",
    }
