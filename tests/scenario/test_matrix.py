"""A matrix: which cells it makes, what they are called, and where its mistakes are told."""

from __future__ import annotations

import json
import random
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.fingerprint import fingerprint_of
from llmload.cells import CELL_LABEL, cell_of, title_of
from llmload.domain import RunHeader
from llmload.errors import ScenarioError
from llmload.scenario.cell_id import LONGEST_ID, cell_id
from llmload.scenario.loader import cells_of_text, check_text, load_document, load_resolved
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Items, Node, Place, Scalar, read
from llmload.shards import Shard

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n"
URL = "  target: {url: http://localhost:8000}\n"
LAUNCH = (
    "  target:\n    url: http://localhost:8000\n    framework: vllm\n    launch:\n"
    "      command: [serve, --max-num-seqs, '${matrix.target.framework_config.max_num_seqs}']\n"
)


def cells(matrix: str, rest: str = URL, **env: str) -> tuple[Loaded, ...]:
    return cells_of_text(f"{HEAD}{rest}  matrix:\n{matrix}", "s.yaml", env=env)


def ids(matrix: str, rest: str = URL, **env: str) -> list[str]:
    return [loaded.cell.id for loaded in cells(matrix, rest, **env) if loaded.cell is not None]


def problems(matrix: str, rest: str = URL, **env: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        cells(matrix, rest, **env)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def node(text: str) -> Node:
    found, troubles = read(text, "f")
    assert found is not None
    assert not troubles
    return found


def made_of(value: object) -> Node:
    """As if it had been read."""
    if isinstance(value, list):
        return Items(tuple(map(made_of, value)), Place("f", 1, 1))
    assert value is None or isinstance(value, str | int | float)
    return Scalar(value, Place("f", 1, 1))


# ---------------------------------------------------------------- which cells


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param("    load.requests: [100, 200]\n", ["requests=100", "requests=200"], id="values in their order"),
        pytest.param(
            "    workload.seed: [1]\n    load.concurrency: [[1, 10], [50]]\n",
            ["concurrency=1+10,seed=1", "concurrency=50,seed=1"],
            id="keys by their names",
        ),
        pytest.param(
            "    load.requests: [1, 2]\n    workload.seed: [1, 2]\n"
            "    exclude: [{load.requests: 2, workload.seed: 1}, {load.requests: 1}]\n",
            ["requests=2,seed=2"],
            id="what matches all that an entry says is excluded",
        ),
        pytest.param(
            "    load.requests: [1, 2]\n    include: [{load.requests: 2, workload.seed: 7}]\n",
            ["requests=1", "requests=2,seed=7"],
            id="an entry that agrees with a cell completes it",
        ),
        pytest.param(
            "    load.requests: [1, 2]\n    include: [{workload.seed: 7}]\n",
            ["requests=1,seed=7", "requests=2,seed=7"],
            id="an entry of new keys alone completes all",
        ),
        pytest.param(
            "    load.requests: [1]\n    include: [{load.requests: 5, workload.seed: 7}]\n",
            ["requests=1", "requests=5,seed=7"],
            id="an entry that agrees with none is a cell of its own",
        ),
        pytest.param(
            "    load.requests: [1]\n    include: [{workload.seed: 7}, {workload.seed: 8, load.cooldown: 1s}]\n",
            ["cooldown=1s,requests=1,seed=8"],
            id="what was added can be overwritten",
        ),
        pytest.param("    include: [{load.requests: 5}]\n", ["requests=5"], id="entries alone"),
    ],
)
def test_cells_are_combined_excluded_and_included_as_in_github_actions(matrix, expected):
    assert ids(matrix) == expected


@given(data=st.data())
def test_neither_the_order_of_keys_nor_of_pairs_changes_what_a_cell_is_called(data):
    axes = {"load.requests": "[1, 2]", "workload.seed": "[3, 4]", "load.cooldown": "[0s, 1s]"}
    order = data.draw(st.permutations(sorted(axes)))
    assert ids("".join(f"    {key}: {axes[key]}\n" for key in order)) == ids(
        "".join(f"    {key}: {axes[key]}\n" for key in sorted(axes))
    )


def test_a_cell_is_a_scenario_without_a_matrix_that_knows_its_id():
    one, other = cells("    load.requests: [100, 200]\n")
    found = [load_document(loaded, Path()) for loaded in (one, other)]
    assert [each.load.requests for each in found] == [100, 200]
    assert [cell_of(each.labels) for each in found] == ["requests=100", "requests=200"]
    assert {each.name for each in found} == {"s"}
    assert "matrix" not in json.loads(found[0].document.resolved)["spec"]
    assert found[0].document.sha256 != found[1].document.sha256
    again = load_resolved(found[1].document.resolved)
    assert (again.load, again.labels, again.title) == (found[1].load, found[1].labels, "s [requests=200]")


@given(count=st.integers(1, 12), pieces=st.integers(0, 40))
def test_shards_of_cells_are_disjoint_and_complete_and_keep_the_order(count, pieces):
    dealt = [Shard(number, count).of(range(pieces)) for number in range(1, count + 1)]
    assert sorted(piece for share in dealt for piece in share) == list(range(pieces))
    assert all(list(share) == sorted(share) for share in dealt)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


# ---------------------------------------------------------------- ids


HOSTILE = st.text(max_size=60) | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()


@given(
    st.dictionaries(
        st.sampled_from(["load.requests", "target.model", "a.requests"]),
        st.recursive(HOSTILE, lambda inner: st.lists(inner, max_size=4), max_leaves=6),
        min_size=1,
    )
)
def test_an_id_is_one_word_of_a_shell_a_file_name_and_its_own_glob(values):
    name = cell_id({key: made_of(value) for key, value in values.items()})
    assert shlex.split(name) == [name]
    assert not set(name) & set("/\\:*?\"'<>|~#!$&;()[]{}` \n")
    assert len(name) <= LONGEST_ID
    assert cell_of({"llmload.cell": name}) == name
    assert fnmatchcase(name, name)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"load.concurrency": "[1, 10]"}, "concurrency=1+10", id="a list"),
        pytest.param({"target.tls.verify": "false"}, "verify=false", id="a truth"),
        pytest.param({"slo.e2e": "500ms", "slo.ttft": "1s"}, "e2e=500ms,ttft=1s", id="times"),
        pytest.param({"a.x": "1", "b.x": "2"}, "a.x=1,b.x=2", id="keys that end alike are written whole"),
        pytest.param({"gates[0]": "a"}, "gates.0=a", id="an item of a list"),
    ],
)
def test_ids_are_readable(values, expected):
    assert cell_id({key: node(text) for key, text in values.items()}) == expected


def test_the_id_of_a_key_that_looks_like_an_option_names_a_cell_all_the_same():
    name = cell_id({"workload.sampling.-x": node("1")})
    assert name == "workload.sampling.-x=1"
    assert cell_of({CELL_LABEL: name}) == name


def test_what_an_id_cannot_spell_is_told_apart_by_a_hash():
    one, other = (cell_id({"target.model": node(text)}) for text in ("Qwen/Qwen3", "Qwen-Qwen3"))
    assert one.startswith("model=Qwen-Qwen3-")
    assert other == "model=Qwen-Qwen3"
    long = [cell_id({"target.model": node("x" * 200 + end)}) for end in "ab"]
    assert len({name[:-8] for name in long}) == 1
    assert len(set(long)) == 2


def test_no_password_of_a_url_stands_in_an_id_and_none_in_its_hash():
    urls = ["http://u:hunter22@h:1", "http://u:other123@h:1"]
    assert len({cell_id({"target.url": node(url)}) for url in urls}) == 1
    assert "hunter22" not in cell_id({"target.url": node(urls[0])})


@pytest.mark.parametrize("label", ["", "../../etc", "a/b", ".", "..", "x y", "a\n", "-x"])
def test_a_label_that_is_no_id_of_ours_names_no_cell(label):
    assert cell_of({"llmload.cell": label}) == ""
    assert title_of("chat", {"llmload.cell": label}) == "chat"


# ---------------------------------------------------------------- references


def test_a_launched_server_reads_its_settings_of_the_matrix():
    found = cells("    target.framework_config.max_num_seqs: [64, 256]\n", LAUNCH)
    commands = [loaded.document.spec.target.launch.command for loaded in found]
    assert commands == [["serve", "--max-num-seqs", "64"], ["serve", "--max-num-seqs", "256"]]
    assert [loaded.document.spec.target.framework_config for loaded in found] == [
        {"max_num_seqs": 64},
        {"max_num_seqs": 256},
    ]


def test_a_reference_in_any_text_is_of_the_type_that_the_schema_wants():
    rest = (
        "  target: {framework: vllm, simulator: {max_num_seqs: '${matrix.target.framework_config.max_num_seqs}'}}\n"
        "  reports: {dir: 'out-${matrix.target.framework_config.max_num_seqs}'}\n"
    )
    (found,) = cells("    target.framework_config.max_num_seqs: [8]\n", rest)
    assert found.document.spec.target.simulator.max_num_seqs == 8
    assert found.document.spec.reports.dir == "out-8"


def test_variables_stand_for_values_of_a_matrix():
    assert ids("    load.requests: ['${N}', 7]\n", N="300") == ["requests=300", "requests=7"]


# ---------------------------------------------------------------- mistakes


SETTING = "target.framework_config.max_num_seqs"
VLLM = "  target: {url: http://localhost:8000, framework: vllm}\n"


@pytest.mark.parametrize(
    ("matrix", "rest", "expected"),
    [
        pytest.param("    load.requests: 5\n", URL, "7:20: spec.matrix.load.requests: no list of values", id="no list"),
        pytest.param(
            "    load.requests: []\n", URL, "7:20: spec.matrix.load.requests: no list of values", id="no values"
        ),
        pytest.param(
            "    load: {requests: [5]}\n",
            URL,
            "7:11: spec.matrix.load: no list of values",
            id="a path as nested maps",
        ),
        pytest.param("    exclude: []\n", URL, "7:5: spec.matrix: there is no cell in it", id="nothing to vary"),
        pytest.param(
            "    load.requests: [5, 5]\n", URL, "7:24: spec.matrix.load.requests[1]: the same value twice", id="twice"
        ),
        pytest.param(
            "    spec.load.requests: [5]\n",
            URL,
            "7:5: spec.matrix.spec.load.requests: keys of a matrix are paths relative to spec",
            id="from the top",
        ),
        pytest.param("    load..x: [5]\n", URL, "7:10: spec.matrix.load..x: this path cannot be read", id="no path"),
        pytest.param(
            "    load: [{requests: 5}]\n    load.requests: [5]\n",
            URL,
            "8:5: spec.matrix.load.requests: it lies within load, which varies too",
            id="one within another",
        ),
        pytest.param(
            "    load.requests: [5]\n    exclude: [{load.request: 5}]\n",
            URL,
            "8:16: spec.matrix.exclude[0].load.request: no key of the matrix is called 'load.request'",
            id="a slip in exclude",
        ),
        pytest.param(
            "    load.requests: [5]\n    exclude: [{load.requests: 6}]\n",
            URL,
            "8:15: spec.matrix.exclude[0]: it excludes no cell",
            id="an exclude without a cell",
        ),
        pytest.param(
            "    load.requests: [5]\n    exclude: [{load.requests: 5}]\n",
            URL,
            "7:5: spec.matrix: exclude leaves no cell of it",
            id="all excluded",
        ),
        pytest.param(
            "    load.requests: [5]\n    include: [{load.requests: 5}]\n",
            URL,
            "8:15: spec.matrix.include[0]: there is a cell of these values already",
            id="an include of what is there",
        ),
        pytest.param(
            "    load.requests: [5]\n    include: {a: 5}\n",
            URL,
            "8:14: spec.matrix.include: no list",
            id="include as a map",
        ),
        pytest.param(
            "    target.model: [a, A]\n", URL, "7:5: spec.matrix: two cells are called model=A", id="case alone"
        ),
        pytest.param(
            "    target.headers.X-Key: [abcdef]\n",
            URL,
            "7:28: spec.matrix.target.headers.X-Key[0]: a secret cannot vary: it would stand in the name of the cell",
            id="a secret",
        ),
        pytest.param(
            f"    {SETTING}: [8]\n",
            VLLM,
            f"7:5: spec.matrix.{SETTING}: a server that runs already has the settings that it was started with",
            id="a server of others",
        ),
        pytest.param(
            f"    {SETTING}: [8]\n",
            "  target: {framework: vllm, simulator: {}}\n",
            f"7:5: spec.matrix.{SETTING}: nothing hands {SETTING} to the server that is started",
            id="a setting that nobody reads",
        ),
        pytest.param(
            "    load.requests: [5]\n",
            "  target: {url: http://x, model: '${matrix.load.request}'}\n",
            "5:35: spec.target.model: this cell of the matrix says nothing of 'load.request'",
            id="an unknown reference",
        ),
        pytest.param(
            "    load.concurrency: [[5]]\n",
            "  target: {url: http://x, model: '${matrix.load.concurrency}'}\n",
            "5:35: spec.target.model: load.concurrency is a list or a map, which stands in no text",
            id="a list in a text",
        ),
        pytest.param(
            "    load.requests: ['${N}']\n",
            URL,
            "7:22: spec.matrix.load.requests[0]: the environment variable N is not set",
            id="an unset variable",
        ),
    ],
)
def test_mistakes_are_told_where_they_are_written(matrix, rest, expected):
    assert [problem.partition(". ")[0] for problem in problems(matrix, rest)] == [f"s.yaml:{expected}"]


def test_a_path_as_nested_maps_is_told_how_it_is_written_and_set():
    (told,) = problems("    load: {requests: [5]}\n", URL)
    assert "Write whole paths as keys, like load.requests: [...]" in told
    assert "--set 'spec.matrix={load.requests: [...]}'" in told


def test_a_value_that_cannot_be_is_told_at_the_matrix_with_its_cell():
    found = problems("    load.requests: [5, many]\n    workload.seed: [1, 2]\n")
    assert len(found) == 1
    assert found[0].startswith("s.yaml:7:24: spec.load.requests: ")
    assert found[0].endswith("(cell requests=many,seed=1 and 1 more)")


def test_what_is_wrong_with_every_cell_is_told_once_and_beside_the_rest():
    found = problems("    load.requests: [5, many]\n", URL + "  slo: {ttft: 5}\n  lod: 3\n")
    assert [problem.split(": ")[1] for problem in found] == ["spec.slo.ttft", "spec.lod", "spec.load.requests"]
    assert "(cell" not in found[0] + found[1]


def test_a_reference_without_a_matrix_is_a_mistake():
    with pytest.raises(ScenarioError, match="there is no matrix to refer to here"):
        check_text(f"{HEAD}{LAUNCH}", "s.yaml", env={})


def test_the_label_of_a_cell_is_not_for_authors():
    text = HEAD.replace("{name: s}", "{name: s, labels: {llmload.cell: mine}}") + URL
    with pytest.raises(ScenarioError, match=r"this label is written by spec\.matrix alone"):
        check_text(text, "s.yaml", env={})


def test_one_scenario_is_not_several():
    with pytest.raises(ScenarioError, match="a matrix stands for several runs, and one scenario is wanted here"):
        check_text(f"{HEAD}{URL}  matrix: {{load.requests: [5, 6]}}\n", "s.yaml", env={})
    only = check_text(f"{HEAD}{URL}  matrix: {{load.requests: [5, 6]}}\n", "s.yaml", sets=["spec.matrix=null"], env={})
    assert only.cell is None


@pytest.mark.parametrize(
    ("more", "count", "said"),
    [
        pytest.param("", 64, None, id="64 cells"),
        pytest.param("", 65, "it makes 65 cells, and 64 are allowed", id="one more"),
        pytest.param("    max_cells: 65\n", 65, None, id="more on purpose"),
        pytest.param("    max_cells: 1001\n", 1, "no number of cells", id="more than a command runs"),
        pytest.param("    max_cells: true\n", 1, "no number of cells", id="no number"),
    ],
)
def test_there_are_64_cells_at_most_unless_it_says_more(more, count, said):
    matrix = f"    workload.seed: {list(range(count))}\n{more}"
    if said is None:
        assert len(ids(matrix)) == count
    else:
        assert said in problems(matrix)[0]


def test_a_matrix_that_explodes_is_refused_before_it_is_made():
    axes = "".join(f"    target.launch.env.A{number}: {list(range(50))}\n" for number in range(12))
    assert "244,140,625,000,000,000,000 cells" in problems(axes)[0]


def test_cells_that_differ_in_their_slo_alone_are_no_baseline_of_one_another():
    found = [load_document(loaded, Path()) for loaded in cells("    slo: [{ttft: 1s}, {ttft: 2s}]\n")]
    names = random.Random(1).sample(range(100), 2)
    headers = [
        RunHeader(str(name), each.name, "", "0.1", "", "", "", "", each.labels, {})
        for name, each in zip(names, found, strict=True)
    ]
    prints = [fingerprint_of(header, each, None) for header, each in zip(headers, found, strict=True)]
    assert prints[0] != prints[1]
    assert {**prints[0], "cell": ""} == {**prints[1], "cell": ""}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("${TITLE}", "fix ${API_KEY} and ${matrix.load.requests}", id="text of somebody else"),
        pytest.param("$${TITLE} $${", "${TITLE} ${", id="the characters themselves"),
    ],
)
def test_what_a_variable_of_a_matrix_holds_names_no_other_variable(written: str, meant: str) -> None:
    """The title of a pull request may ask for a secret of the job."""
    env = {"TITLE": "fix ${API_KEY} and ${matrix.load.requests}", "API_KEY": "sk-secret"}
    (loaded,) = cells(f"    target.model: ['{written}']\n    load.requests: [10]\n", **env)
    scenario = load_document(loaded, Path())
    assert scenario.target.model == meant
    assert "sk-secret" not in scenario.document.resolved + scenario.document.text + scenario.title


def test_a_variable_that_is_called_a_secret_does_not_get_into_the_name_of_a_cell() -> None:
    (problem,) = problems("    target.model: [a, 'b-${API_KEY}', '$${API_KEY}']\n", API_KEY="sk-secret")
    told = "${API_KEY} is called a secret, and what varies stands in the name of the cell"
    assert problem.startswith(f"s.yaml:7:23: spec.matrix.target.model[1]: {told}. Vary the name of a variable")
    assert "sk-secret" not in problem
