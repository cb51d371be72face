"""An outcome is read back as it was written; a folder of a stranger never leads out of itself, nor to a better code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmload.ci.outcome_folder import clear_outcome, put_outcome, read_all
from llmload.domain import RunResult
from llmload.errors import DataFileError, Problem, StoreError, UsageError
from llmload.outcome import Command, Entry, Outcome
from llmload.reporters import result_json
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "outcome-v1.schema.json").read_text(encoding="utf-8"))
PROBLEM = Problem("b.yaml", 7, 3, "spec.gates[0]", "is no gate", "Write it like 'goodput >= 95%'", "token: s3cret")
_NOTHING = {"timeline": None, "gpus": (), "server": None, "recommendation": None, "profile": None, "analyses": ()}
SMALL: RunResult = replace(CLEAN, **_NOTHING, steps=CLEAN.steps[:1])
FAILED = replace(SMALL, exit_code=3)
THREE = Outcome(
    Command.APPLY,
    2,
    (
        Entry("a.yaml", 0, SMALL, reports=("reports/quickstart/report.md",)),
        Entry("b.yaml", 2, problems=(PROBLEM,), message="b.yaml is not valid"),
        Entry("c.yaml", 3, FAILED),
    ),
)
Change = Callable[[Any], object]


def put(folder: Path, outcome: Outcome = THREE) -> Path:
    put_outcome(folder, outcome)
    return folder


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    read = read_all([put(tmp_path / "out")])
    assert (read.command, read.exit_code) == (Command.APPLY, 2)
    first, second, third = read.entries
    assert (first.source, first.exit_code, first.reports) == ("a.yaml", 0, ("reports/quickstart/report.md",))
    assert first.result is not None
    assert (first.result.header.run_id, first.result.verdicts[0].gate) == (
        SMALL.header.run_id,
        SMALL.verdicts[0].gate,
    )
    assert (second.result, second.message) == (None, "b.yaml is not valid")
    assert second.problems == (replace(PROBLEM, source_line=""),)
    assert third.result is not None
    assert third.result.exit_code == 3


def test_the_document_is_what_its_schema_says(tmp_path: Path) -> None:
    text = (put(tmp_path) / "outcome.json").read_text(encoding="utf-8")
    document = json.loads(text)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(document)
    assert set(document) == set(SCHEMA["properties"])
    assert set(document["entries"][0]) == set(SCHEMA["$defs"]["entry"]["properties"])
    assert set(document["entries"][1]["problems"][0]) == set(SCHEMA["$defs"]["problem"]["properties"])
    assert [each["result"] for each in document["entries"]] == [
        "results/01-quickstart.json",
        None,
        "results/03-quickstart.json",
    ]
    assert "s3cret" not in text


def test_a_new_outcome_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "results" / "mine.json").write_text("{}")
    put(tmp_path, Outcome(Command.APPLY, 0, (Entry("a.yaml", 0, SMALL),)))
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["01-quickstart.json", "mine.json"]
    assert len(read_all([tmp_path]).entries) == 1


def test_what_was_cleared_is_no_outcome(tmp_path: Path) -> None:
    clear_outcome(put(tmp_path))
    with pytest.raises(DataFileError, match="no such file"):
        read_all([tmp_path])
    clear_outcome(tmp_path / "never")


@pytest.mark.parametrize("name", [HOSTILE, "../../x", "", "a" * 300, "Qwen 3 / chat"])
def test_any_name_of_a_scenario_makes_a_file_in_the_folder(tmp_path: Path, name: str) -> None:
    run = replace(SMALL, header=replace(SMALL.header, scenario=name))
    hostile = Entry(HOSTILE, 0, run, message=HOSTILE, reports=("fine.md", "a\nb=1"))
    read = read_all([put(tmp_path / "out", Outcome(Command.APPLY, 0, (hostile,)))])
    assert read.entries[0].result is not None
    assert read.entries[0].reports == ("fine.md",)
    assert "\n" not in read.entries[0].source + read.entries[0].message
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_says_no_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the outcome cannot be written"):
        put_outcome(tmp_path / "file", THREE)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "01-old.json").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="results is a link"):
        put_outcome(tmp_path / "out", THREE)
    assert [path.name for path in elsewhere.iterdir()] == ["01-old.json"]


# ---------------------------------------------------------------- several


def test_shards_are_one_outcome_with_the_code_that_speaks_for_all(tmp_path: Path) -> None:
    one = put(tmp_path / "1", Outcome(Command.APPLY, 0, (Entry("a.yaml", 0, SMALL),)))
    two = put(tmp_path / "2", Outcome(Command.APPLY, 3, (Entry("b.yaml", 3, FAILED),)))
    read = read_all([one, two / "outcome.json"])
    assert (read.command, read.exit_code) == (Command.APPLY, 3)
    assert [entry.source for entry in read.entries] == ["a.yaml", "b.yaml"]


def test_result_files_and_report_folders_are_outcomes_of_one_run(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "result.json").write_bytes(result_json.render(SMALL))
    (tmp_path / "trouble.json").write_bytes(result_json.render(TROUBLE))
    read = read_all([tmp_path / "report", tmp_path / "trouble.json", put(tmp_path / "out")])
    assert [entry.exit_code for entry in read.entries] == [0, TROUBLE.exit_code, 0, 2, 3]
    assert (read.command, read.exit_code) == (Command.APPLY, 2)


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param([Command.APPLY, Command.GATE], id="of two commands"),
        pytest.param([Command.COMPARE, Command.COMPARE], id="two comparisons"),
        pytest.param([], id="none at all"),
    ],
)
def test_what_cannot_be_one_is_refused(tmp_path: Path, commands: list[Command]) -> None:
    paths = [put(tmp_path / str(n), Outcome(each, 0, ())) for n, each in enumerate(commands)]
    with pytest.raises(UsageError):
        read_all(paths)


# ---------------------------------------------------------------- of strangers


def changed(folder: Path, change: Change) -> Path:
    path = put(folder) / "outcome.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return folder


def entry(place: int, **fields: object) -> Change:
    return lambda document: document["entries"][place].update(fields)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        pytest.param(lambda d: d.update(apiVersion="llmload/outcome/v2"), "apiVersion", id="another version"),
        pytest.param(lambda d: d.update(command="rm"), "command", id="another command"),
        pytest.param(lambda d: d.update(exit_code=0), "exit_code", id="better than its entries"),
        pytest.param(lambda d: d.update(exit_code=1), "exit_code", id="a code of compare"),
        pytest.param(lambda d: d.update(entries={}), "entries", id="entries that are no list"),
        pytest.param(lambda d: d.update(entries=d["entries"] * 400), "entries", id="too many entries"),
        pytest.param(entry(0, result="/etc/passwd"), "entries[0].result", id="an absolute path"),
        pytest.param(entry(0, result="results/../../x.json"), "entries[0].result", id="out of the folder"),
        pytest.param(entry(0, result="outcome.json"), "entries[0].result", id="not in results"),
        pytest.param(entry(0, result="results/a\n.json"), "entries[0].result", id="two lines"),
        pytest.param(entry(0, reports=["a\nverdict=pass"]), "entries[0].reports[0]", id="a path of two lines"),
        pytest.param(entry(0, reports=["r"] * 201), "entries[0].reports", id="too many reports"),
        pytest.param(entry(1, problems=[{}]), "entries[1].problems[0].file", id="an empty problem"),
        pytest.param(entry(1, message=None), "entries[1].message", id="no message"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, change: Change, where: str) -> None:
    folder = changed(tmp_path / "out", change)
    with pytest.raises(DataFileError) as raised:
        read_all([folder])
    assert str(raised.value).startswith(f"{folder / 'outcome.json'}: {where}: ")


def test_an_entry_is_never_better_than_its_result(tmp_path: Path) -> None:
    folder = changed(tmp_path / "out", entry(2, exit_code=0))
    with pytest.raises(DataFileError, match=r"c\.yaml has exit code 0, and its result 3"):
        read_all([folder])


@pytest.mark.parametrize("name", ["outcome.json", "results/01-quickstart.json", "results"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "out")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataFileError, match="is a link that leaves the folder"):
        read_all([folder])


@pytest.mark.parametrize("name", ["outcome.json", "results/01-quickstart.json", "results"])
def test_a_link_to_itself_is_refused(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "out")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to((folder / name).name)
    with pytest.raises(DataFileError):
        read_all([folder])


def test_where_no_outcome_was_left_the_message_says_what_leaves_one(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"nowhere: there is no such file or folder\. Give a verb --outcome"):
        read_all([tmp_path / "nowhere"])


@pytest.mark.parametrize("version", ["llmload/outcome/v0", "llmload/outcome/v2"])
def test_an_outcome_of_another_version_says_whose_it_is(tmp_path: Path, version: str) -> None:
    document = put(tmp_path) / "outcome.json"
    document.write_text(document.read_text().replace("llmload/outcome/v1", version))
    with pytest.raises(DataFileError, match="Another llmload wrote it: read it with that version"):
        read_all([tmp_path])


def test_a_result_that_is_missing_or_none_is_refused(tmp_path: Path) -> None:
    result = put(tmp_path) / "results" / "03-quickstart.json"
    result.write_text("{}")
    with pytest.raises(DataFileError, match="apiVersion: is missing"):
        read_all([tmp_path])
    result.unlink()
    with pytest.raises(DataFileError, match="cannot be read: no such file"):
        read_all([tmp_path])


_STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(["apiVersion", "command", "exit_code", "entries", "source", "result", "problems", "reports"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_FIELDS, _STRANGE)
def test_whatever_stands_in_a_field_is_read_or_refused(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "outcome.json"
    if not path.exists():
        put(tmp_path)
    document = json.loads(path.read_text())
    (document if name in document else document["entries"][0])[name] = value
    other = tmp_path / "other"
    other.mkdir(exist_ok=True)
    (other / "outcome.json").write_text(json.dumps(document))
    (other / "results").mkdir(exist_ok=True)
    for result in (tmp_path / "results").iterdir():
        (other / "results" / result.name).write_bytes(result.read_bytes())
    try:
        read = read_all([other])
    except DataFileError:
        return
    assert read.exit_code != 0
