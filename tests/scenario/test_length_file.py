"""Measured lengths: what is read of a file, what the document settles, and what is refused at its line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.fingerprint import workload_terms
from llmload.analysis.forecast import mean_input, mean_output
from llmload.errors import DataFileError, ScenarioError
from llmload.planned import Room
from llmload.scenario.asked import Scenario
from llmload.scenario.length_file import MOST_ROWS, open_lengths
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.traffic import Synthetic
from llmload.workload.planning import longest_request, pairs_of

CSV = "input_tokens,output_tokens\n100,10\n2000,40\n301,300\n"
PAIRS = [(100, 10), (2000, 40), (301, 300)]


def scenario(
    folder: Path, lengths: dict[str, object] | None = None, load: dict[str, object] | None = None, **synthetic: object
) -> Scenario:
    if not (folder / "l.csv").exists():
        (folder / "l.csv").write_text(CSV)
    spec = {
        "target": {"url": "http://localhost:8000"},
        "workload": {"prompts": {"synthetic": {"lengths": {"from": "l.csv", **(lengths or {})}, **synthetic}}},
        "load": load or {"concurrency": [2], "requests": 20},
    }
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "s"}, "spec": spec}
    return load_text(yaml.safe_dump(document), "s.yaml", env={}, directory=folder)


def rows(path: Path, prompt: str = "input_tokens", answer: str = "output_tokens") -> list[tuple[int, int]]:
    pairs = open_lengths(str(path), prompt, answer).pairs
    return list(zip(pairs.input_tokens, pairs.output_tokens, strict=True))


FILES = {
    "CSV": ("l.csv", CSV),
    "CSV with other columns and quotes": (
        "l.csv",
        'at,output_tokens,"input_tokens"\r\n"a\nb",10,"100"\r\n,40,2000\r\n,300,301\r\n',
    ),
    "CSV with a byte order mark and blank lines": ("l.csv", "\ufeff" + CSV.replace("\n", "\n\n")),
    "JSON lines": ("l.jsonl", "".join(f'{{"input_tokens": {i}, "output_tokens": {o}}}\n' for i, o in PAIRS)),
    "a JSON array": ("l.json", json.dumps([{"input_tokens": i, "output_tokens": o} for i, o in PAIRS], indent=1)),
}


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
def test_pairs_are_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, newline="")
    assert rows(tmp_path / name) == PAIRS


@pytest.mark.parametrize(
    ("text", "prompt", "answer"),
    [
        pytest.param(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n",
            "ContextTokens",
            "GeneratedTokens",
            id="Azure's",
        ),
        pytest.param(
            '{"timestamp": 0, "input_length": 374, "output_length": 44, "hash_ids": [1]}\n',
            "input_length",
            "output_length",
            id="Mooncake's",
        ),
    ],
)
def test_published_traces_are_files_of_lengths_too(text: str, prompt: str, answer: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(text)
    assert rows(tmp_path / "t", prompt, answer) == [(374, 44)]


def test_what_the_file_held_is_settled_and_suffices_without_it(tmp_path: Path) -> None:
    found = scenario(tmp_path)
    assert isinstance(found.workload.prompts, Synthetic)
    lengths = found.workload.prompts.lengths
    assert lengths is not None
    assert (lengths.found.rows, lengths.found.input_tokens, lengths.found.output_tokens) == (3, 800.333, 116.667)
    assert (mean_input(found.workload), mean_output(found.workload)) == (800.333, 116.667)
    assert longest_request(found) == Room(2000, 40)
    (tmp_path / "l.csv").unlink()
    again = load_resolved(found.document.resolved)
    assert again.workload == found.workload
    assert workload_terms(again.workload) == workload_terms(found.workload)
    written = json.loads(found.document.resolved)["spec"]["workload"]["prompts"]["synthetic"]
    assert set(written) == {"lengths", "shared_prefix", "unique"}, "no length that nobody asked for"


def test_a_file_that_is_gone_or_another_one_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    found = scenario(tmp_path)
    (tmp_path / "l.csv").write_text(CSV + "1,1\n")
    with pytest.raises(DataFileError, match=r"l\.csv: changed since the scenario was read"):
        longest_request(found)
    (tmp_path / "l.csv").unlink()
    with pytest.raises(DataFileError, match=r"l\.csv: cannot be read: no such file"):
        longest_request(found)


def test_a_pinned_file_is_refused_when_it_is_another_one(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"lengths\.sha256: the file's is [0-9a-f]{64}: it is another one"):
        scenario(tmp_path, {"sha256": "0" * 64})


def test_runs_are_known_by_what_the_file_holds_and_not_by_where_it_lies(tmp_path: Path) -> None:
    here = scenario(tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert workload_terms(here.workload) == workload_terms(scenario(folder).workload)
    (folder / "l.csv").write_text(CSV + "1,1\n")
    assert workload_terms(here.workload) != workload_terms(scenario(folder).workload)


def test_scenarios_without_such_a_file_are_known_as_before(tmp_path: Path) -> None:
    prompts = scenario(tmp_path).workload.prompts
    assert isinstance(prompts, Synthetic)
    terms = workload_terms(replace(scenario(tmp_path).workload, prompts=replace(prompts, lengths=None)))
    assert "lengths" not in terms


@pytest.mark.parametrize("other", ["input_tokens", "output_tokens"])
def test_lengths_of_two_kinds_exclude_each_other(other: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=f"lengths and {other} exclude each other"):
        scenario(tmp_path, **{other: 5})


def test_a_trace_has_lengths_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"timestamp": 0, "input_length": 8, "output_length": 8}\n')
    with pytest.raises(ScenarioError, match="a trace says how long each request is, and so does a file of lengths"):
        scenario(tmp_path, load={"trace": {"file": "t.jsonl"}})


def test_a_scenario_over_a_preset_leaves_the_presets_lengths_behind(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(CSV)
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nextends: [preset:chat-short]\nspec:\n"
        "  target: {url: http://localhost:8000}\n  workload: {prompts: {synthetic: {lengths: {from: l.csv}}}}\n"
    )
    found = load_text(text, "s.yaml", env={}, directory=tmp_path)
    assert mean_input(found.workload) == 800.333


def test_lengths_of_0_become_1_and_are_told(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("input_tokens,output_tokens\n0,5\n5,0\n7,7\n")
    found = scenario(tmp_path)
    assert rows(tmp_path / "l.csv") == [(1, 5), (5, 1), (7, 7)]
    what = "2 rows ask for 0 tokens in or out, and get 1, the least that servers take"
    assert f"{tmp_path}/l.csv: {what}" in found.notices


def test_all_bad_rows_are_told_at_once_the_first_twenty_at_their_lines(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(CSV + "x,1\n" * 25)
    with pytest.raises(DataFileError) as caught:
        scenario(tmp_path)
    told = str(caught.value).splitlines()
    words = "input_tokens is 'x', not a whole number of tokens up to 10,000,000"
    assert told[0].startswith(f"{tmp_path}/l.csv:5: {words}. Correct the row")
    assert told[1:3] == [f"{tmp_path}/l.csv:{line}: {words}" for line in (6, 7)]
    assert (len(told), told[-1]) == (21, "and 5 more bad rows")


def test_more_rows_than_a_sample_needs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmload.scenario.length_file.MOST_ROWS", 2)
    assert MOST_ROWS == 1_000_000
    with pytest.raises(DataFileError, match=r"l\.csv:4: more than 2 rows"):
        scenario(tmp_path)


@given(number=st.floats(0, 1, exclude_min=True))
def test_each_draw_is_a_row_of_the_file(number: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    prompts = scenario(folder).workload.prompts
    assert isinstance(prompts, Synthetic)
    assert prompts.lengths is not None
    assert pairs_of(prompts.lengths).draw(number) in PAIRS
