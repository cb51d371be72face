"""`extends`: what a scenario inherits, what it replaces, and where an error of the merged document is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import ScenarioError
from llmload.scenario import asked
from llmload.scenario.loader import load, load_resolved, load_text, merged_text, read_document
from llmload.scenario.merging import merge
from llmload.scenario.tree import Node, find, plain, read

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\n"
PRESET = "apiVersion: llmload/v1\nkind: Preset\nspec:\n"
URL = "  target: {url: 'http://localhost:8000'}\n"


def written(folder: Path, spec: str, *, extends: str = "[base.yaml]", **bases: str) -> Path:
    """A scenario beside the documents that it may extend, each given by its spec."""
    for name, text in bases.items():
        (folder / f"{name}.yaml").write_text(PRESET + text)
    path = folder / "s.yaml"
    path.write_text(f"{HEAD}extends: {extends}\nspec:\n{spec}")
    return path


def problems(path: Path, *sets: str, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(path, sets=sets, env=env or {})
    return [
        f"{Path(p.file).name}:{p.line}:{p.column} {p.path}: {p.message}. {p.hint}".replace(f"{path.parent}/", "")
        for p in caught.value.problems
    ]


def test_the_scenario_wins_over_what_it_extends_and_the_later_document_over_the_earlier(tmp_path: Path) -> None:
    found = load(
        written(
            tmp_path,
            URL + "  load: {requests: 7}\n",
            extends="[first.yaml, second.yaml]",
            first="  load: {requests: 1, concurrency: [1], cooldown: 1s}\n  slo: {ttft: 1s, tpot: 2s}\n",
            second="  load: {requests: 2, concurrency: [2, 3]}\n  slo: {ttft: 9s}\n",
        ),
        env={},
    )
    assert found.load.requests == 7
    assert found.load.shape == asked.ClosedLoop((2, 3))
    assert found.load.cooldown_s == 1.0
    assert found.slo is not None
    assert (found.slo.ttft_ms, found.slo.tpot_ms) == (9000, 2000)


def test_names_descriptions_and_labels_are_not_inherited(tmp_path: Path) -> None:
    path = written(tmp_path, URL)
    (tmp_path / "base.yaml").write_text(
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: other, description: d, labels: {a: b}}\n"
        "spec: {load: {requests: 3}}\n"
    )
    found = load(path, env={})
    assert (found.name, found.description, found.labels, found.load.requests) == ("s", "", {}, 3)


@pytest.mark.parametrize(
    ("base", "scenario", "path", "merged"),
    [
        pytest.param(
            "  load: {concurrency: [1], requests: 5}\n",
            URL + "  load: {rate: [2/s]}\n",
            "spec.load", {"requests": 5, "rate": ["2/s"]}, id="a rate over a concurrency",
        ),
        pytest.param(
            "  load: {rate: [2/s], arrival: constant, cooldown: 1s}\n",
            URL + "  load: {concurrency: [4]}\n",
            "spec.load", {"cooldown": "1s", "concurrency": [4]}, id="a concurrency over a rate and its arrival",
        ),
        pytest.param(
            "  load: {rate: [2/s], arrival: constant}\n",
            URL + "  load: {arrival: poisson}\n",
            "spec.load", {"rate": ["2/s"], "arrival": "poisson"}, id="an arrival over an arrival",
        ),
        pytest.param(
            "  target: {url: 'http://a', model: m}\n", "  target: {simulator: {}}\n",
            "spec.target", {"model": "m", "simulator": {}}, id="the simulator over a server",
        ),
        pytest.param(
            "  target: {url: 'http://a', launch: {command: [x]}}\n", "  target: {url: 'http://b'}\n",
            "spec.target", {"url": "http://b"}, id="a server over one to be launched",
        ),
        pytest.param(
            "  target: {url: 'http://a', launch: {command: [x]}}\n", "  target: {launch: {env: {A: b}}}\n",
            "spec.target", {"url": "http://a", "launch": {"command": ["x"], "env": {"A": "b"}}},
            id="a launch over a launch, at the same address",
        ),
        pytest.param(
            "  target: {framework: vllm, framework_config: {max_num_seqs: 9}, api: chat}\n",
            "  target: {url: 'http://b', framework: sglang}\n",
            "spec.target", {"framework": "sglang", "url": "http://b"}, id="another framework over one and its settings",
        ),
        pytest.param(
            "  workload: {prompts: {synthetic: {input_tokens: {uniform: [1, 2]}, output_tokens: 4}}}\n",
            URL + "  workload: {prompts: {synthetic: {input_tokens: {mean: 9, stdev: 1}}}}\n",
            "spec.workload.prompts.synthetic", {"input_tokens": {"mean": 9, "stdev": 1}, "output_tokens": 4},
            id="one distribution of lengths over another",
        ),
        pytest.param(
            "  gates: [goodput >= 95%, rps >= 1/s]\n", URL + "  slo: {ttft: 1s}\n  gates: [goodput >= 90%]\n",
            "spec.gates", ["goodput >= 90%"], id="a list over a list",
        ),
        pytest.param(
            "  slo: {ttft: 1s, tpot: 1s}\n", URL + "  slo: {tpot: null}\n", "spec.slo", {"ttft": "1s"},
            id="nothing over a value erases it",
        ),
        pytest.param(
            "  slo: {ttft: 1s}\n  load: {requests: 3}\n", URL + "  slo: null\n",
            "spec.slo", None, id="nothing over a map erases it",
        ),
    ],
)  # fmt: skip
def test_what_comes_of_two_documents(tmp_path: Path, base: str, scenario: str, path: str, merged: object) -> None:
    loaded = read_document(written(tmp_path, scenario, base=base), env={})
    node = find(loaded.root, tuple(path.split(".")))
    assert (None if node is None else plain(node)) == merged


def test_sets_and_variables_act_on_what_was_merged(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  load: {requests: '${N}', concurrency: ['${C:-8}']}\n")
    found = load(path, sets=["spec.load.concurrency[1]=9", "spec.load.cooldown=2s"], env={"N": "12"})
    assert (found.load.requests, found.load.shape, found.load.cooldown_s) == (12, asked.ClosedLoop((8, 9)), 2.0)


def test_a_variable_that_the_scenario_replaces_need_not_be_set(tmp_path: Path) -> None:
    path = written(tmp_path, URL + "  load: {requests: 4}\n", base="  load: {requests: '${UNSET}'}\n")
    assert load(path, env={}).load.requests == 4


def test_what_is_extended_can_be_set_on_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  load: {requests: 4}\n", other="  load: {requests: 5}\n")
    assert load(path, sets=["extends=[other.yaml]"], env={}).load.requests == 5
    assert load(path, sets=["extends[1]=other.yaml"], env={}).load.requests == 5


def test_files_are_named_relative_to_the_document_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(
        PRESET + "  target: {tls: {ca_file: ca.pem}, api_key: {file: /etc/key}}\n"
        "  workload: {tokenizer: {file: ../tok.json}}\n"
    )
    path = written(tmp_path, URL, extends="[shared/base.yaml]")
    found = load(path, env={})
    assert found.target.tls.ca_file == str(tmp_path / "shared" / "ca.pem")
    assert found.workload.tokenizer_file == str(tmp_path / "tok.json")
    assert found.target.api_key == asked.SecretRef(None, "/etc/key")


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("base", "scenario", "told"),
    [
        pytest.param(
            "  load: {requests: many}\n", URL + "  load: {requests: 4}\n",
            ["base.yaml:4:20 spec.load.requests: expected a whole number, found the text 'many'. Write a whole number "
             "(extended in s.yaml:4)"],
            id="a wrong value, also where the scenario replaces it",
        ),
        pytest.param(
            "  laod: {requests: 4}\n", URL,
            ["base.yaml:4:3 spec.laod: unknown key 'laod'. Did you mean load? Known: decision, gates, load, matrix, "
             "recommend, reports, slo, target, telemetry, workload (extended in s.yaml:4)"],
            id="an unknown key",
        ),
        pytest.param(
            "  gates: [goodputt >= 5%]\n", URL + "  gates: []\n",
            ["base.yaml:4:11 spec.gates[0]: unknown subject 'goodputt'"], id="a gate that is replaced",
        ),
        pytest.param(
            "  load: {concurrency: [1], rate: [2/s]}\n", URL + "  load: {concurrency: [3]}\n",
            ["base.yaml:4:28 spec.load: concurrency and rate exclude each other. Keep one of them "
             "(extended in s.yaml:4)"],
            id="two alternatives at once",
        ),
        pytest.param(
            "  load: &a {requests: 4}\n  slo: *a\n", URL,
            ["base.yaml:4:9 spec.load: an anchor (&a)", "base.yaml:5:8 spec.slo: an alias (*a)"], id="an alias",
        ),
        pytest.param("  load: [\n", URL, ["base.yaml:5:1 document: not valid YAML"], id="no YAML"),
        pytest.param(
            "  load: {ramp: 1s}\n", URL + "  load: {requests: x}\n",
            ["s.yaml:7:20 spec.load.requests: expected a whole number, found the text 'x'. Write a whole number"],
            id="the scenario's own mistake",
        ),
        pytest.param(
            "  load: {duration: 10m}\n", URL + "  load: {max_duration: 1m}\n",
            ["base.yaml:4:20 spec.load.duration: duration is longer than max_duration. Raise max_duration, or shorten "
             "it (spec.load comes from base.yaml:4 and s.yaml:7; extended in s.yaml:4)"],
            id="wrong only together",
        ),
        pytest.param(
            "  gates: [goodput >= 95% at concurrency 50]\n", URL + "  slo: {ttft: 1s}\n  load: {concurrency: [1]}\n",
            ["base.yaml:4:26 spec.gates[0]: 'at concurrency 50' names no step of this scenario. The steps are "
             "concurrency 1 (extended in s.yaml:4)"],
            id="a gate of a step that is gone",
        ),
        pytest.param(
            "  load: {requests: '${N}'}\n", URL,
            ["base.yaml:4:21 spec.load.requests: the environment variable N is not set."], id="a variable",
        ),
    ],
)  # fmt: skip
def test_an_error_is_told_where_it_was_written(tmp_path: Path, base: str, scenario: str, told: list[str]) -> None:
    found = problems(written(tmp_path, scenario, base=base))
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True)), found


def test_an_error_of_what_is_extended_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, URL, base="  load: {requests: many}\n"), env={})
    _, line, caret = str(caught.value).splitlines()
    assert line == "    load: {requests: many}"
    assert caret.index("^") == line.index("many")


def test_secrets_of_what_is_extended_are_not_repeated(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  target: {api_key: sk-live-1234567890, model: 7}\n")
    with pytest.raises(ScenarioError) as caught:
        load(path, env={})
    assert "sk-live" not in str(caught.value)
    assert "****" in str(caught.value)


@pytest.mark.parametrize(
    ("extends", "told"),
    [
        pytest.param("base.yaml", "s.yaml:4:10 extends: expected a list, found the text 'base.yaml'. Write [base.yaml]",
                     id="no list"),
        pytest.param("[7]", "s.yaml:4:11 extends[0]: expected a text, found 7. Put it in quotes", id="a number"),
        pytest.param("[gone.yaml]", "s.yaml:4:11 extends[0]: gone.yaml cannot be read: no such file", id="no file"),
        pytest.param("[chat-short]", "s.yaml:4:11 extends[0]: chat-short cannot be read: no such file or directory. "
                     "Write preset:chat-short for the preset", id="a preset without its prefix"),
        pytest.param("['preset:chat-shrot']", "s.yaml:4:11 extends[0]: there is no preset 'chat-shrot'. Did you mean "
                     "chat-short?", id="a slip in the name of a preset"),
        pytest.param("['preset:../x']", "s.yaml:4:11 extends[0]: '../x' is not the name of a preset", id="a path"),
        pytest.param("['preset:${KIND}']", "s.yaml:4:11 extends[0]: a variable cannot say", id="a variable"),
        pytest.param("[base.yaml, ./base.yaml]", "s.yaml:4:22 extends[1]: the same document is extended twice",
                     id="twice"),
        pytest.param("[s.yaml]", "s.yaml:4:1 extends: what is extended cannot extend anything itself", id="itself"),
        pytest.param("[folder.yaml]", "s.yaml:4:11 extends[0]: folder.yaml cannot be read: is a dir", id="a folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_extended(tmp_path: Path, extends: str, told: str) -> None:
    (tmp_path / "folder.yaml").mkdir()
    path = written(tmp_path, URL + "  load: {requests: 3}\n", extends=extends, base="  load: {requests: 4}\n")
    assert [line.startswith(told) for line in problems(path)] == [True], problems(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "base.yaml:1:1 document: the document is empty", id="empty"),
        pytest.param("kind: Preset\nspec: {}\n", "base.yaml:1:1 apiVersion: apiVersion is missing", id="no version"),
        pytest.param("apiVersion: llmload/v1alpha1\nserver_url: http://a\n",
                     "base.yaml:1:1 apiVersion: what is extended must be llmload/v1", id="the old shape"),
        pytest.param("apiVersion: llmload/v1\nspec: {}\n", "base.yaml:1:1 kind: kind is missing", id="no kind"),
        pytest.param("apiVersion: llmload/v1\nkind: Persona\nspec: {}\n",
                     "base.yaml:2:7 kind: the text 'Persona' is none of the known values", id="another kind"),
        pytest.param("apiVersion: llmload/v1\nkind: Preset\n", "base.yaml:1:1 spec: spec is missing", id="no spec"),
        pytest.param("apiVersion: llmload/v1\nkind: Preset\nextends: ['preset:rag']\nspec: {}\n",
                     "base.yaml:3:1 extends: what is extended cannot extend anything itself", id="a second level"),
        pytest.param(PRESET + "  slo: " + "{a: " * 60 + "1" + "}" * 60, "base.yaml:4:", id="too deep"),
        pytest.param("# " + "x" * 1_000_001, "base.yaml:1:1 document: more than 1 MB of YAML", id="too large"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_extended_is_told_where_it_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, URL)
    (tmp_path / "base.yaml").write_text(text)
    assert [line.startswith(told) for line in problems(path)] == [True], problems(path)


def test_a_document_without_utf8_is_told_where_it_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, URL)
    (tmp_path / "base.yaml").write_bytes(PRESET.encode() + b"  load: {requests: \xff}\n")
    assert problems(path)[0].startswith("base.yaml:4:20 document: not UTF-8 text")


def test_more_documents_than_anybody_needs_are_refused(tmp_path: Path) -> None:
    names = [f"b{number}.yaml" for number in range(12)]
    for name in names:
        (tmp_path / name).write_text(PRESET + "  load: {requests: 3}\n")
    path = written(tmp_path, URL, extends=f"[{', '.join(names)}]")
    assert problems(path) == ["s.yaml:4:10 extends: longer than 10. Shorten it"]


def test_a_document_of_the_old_shape_extends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "apiVersion: llmload/v1alpha1\nserver_url: http://a\nmodel: m\nconcurrency: [1]\nextends: ['preset:rag']\n"
    )
    assert problems(path)[0].startswith("s.yaml:5:1 extends: unknown key 'extends'")


# ---------------------------------------------------------------- what is stored


def test_the_stored_document_needs_nothing_that_was_extended(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  load: {requests: 11}\n  slo: {ttft: 1s}\n  gates: [goodput >= 95%]\n")
    before = load(path, env={})
    (tmp_path / "base.yaml").unlink()
    after = load_resolved(before.document.resolved)
    assert (after.load, after.slo, after.gates) == (before.load, before.slo, before.gates)
    resolved = json.loads(before.document.resolved)
    assert "extends" not in resolved
    assert resolved["x-origin"]["extends"] == ["base.yaml"]


def test_the_hash_is_of_what_was_merged(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  load: {requests: 11}\n")
    first = load(path, env={}).document.sha256
    (tmp_path / "base.yaml").write_text(f"# other words\n{PRESET}  load:\n    requests: 11\n")
    assert load(path, env={}).document.sha256 == first
    (tmp_path / "base.yaml").write_text(f"{PRESET}  load: {{requests: 12}}\n")
    assert load(path, env={}).document.sha256 != first
    inline = f"{HEAD}spec:\n{URL}  load: {{requests: 11}}\n"
    assert load_text(inline, "s.yaml", env={}, directory=tmp_path).document.sha256 == first


def test_a_gate_of_a_preset_stands_on_the_line_that_extends_it(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  slo: {ttft: 1s}\n\n\n  gates: [goodput >= 95%]\n")
    assert [gate.line for gate in load(path, env={}).gates] == [4]


def test_a_scenario_that_has_nothing_but_a_target_of_its_own_is_read_whole(tmp_path: Path) -> None:
    path = written(tmp_path, URL, base="  recommend: {peak_concurrency: 5}\n")
    merged = merged_text(path.read_text(), str(path), sets=(), env={}, directory=tmp_path)
    assert merged is not None
    assert find(merged, ("spec", "recommend", "peak_concurrency")) is not None


# ---------------------------------------------------------------- properties

_MAPS: st.SearchStrategy[dict[str, object]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {}, optional={"number": st.integers(0, 3), "list": st.lists(st.integers(0, 3), max_size=2), "map": _MAPS}
    )
)
"""Each key has a value of one kind, as the schema wants it."""


def tree(value: object) -> Node:
    root, troubles = read(json.dumps(value), "f")
    assert root is not None
    assert troubles == []
    return root


@given(_MAPS, _MAPS, _MAPS)
def test_it_makes_no_difference_which_two_of_three_documents_are_merged_first(a: object, b: object, c: object) -> None:
    left = merge(merge(tree(a), tree(b)), tree(c))
    assert plain(left) == plain(merge(tree(a), merge(tree(b), tree(c))))


@given(_MAPS)
def test_a_document_over_itself_or_over_nothing_is_itself(a: object) -> None:
    assert plain(merge(tree(a), tree(a))) == a
    assert plain(merge(tree({}), tree(a))) == plain(merge(tree(a), tree({}))) == a
