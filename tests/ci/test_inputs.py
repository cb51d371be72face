"""Inputs as command lines: nothing that somebody types becomes an option, a second word or a command of a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmload.ci.inputs import Inputs, command_line, command_of, expand, fail_on_of, shard_of
from llmload.ci.outcome_document import MOST_ENTRIES
from llmload.errors import UsageError
from llmload.outcome import Command, FailOn
from llmload.shards import Shard

FILES = ("a.yaml", "b.yaml", "deep/c.yaml", "deep/er/d.yaml", "my chat.yaml", "-x.yaml", "a[1].yaml", "notes.txt")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with scenario files of awkward names."""
    root = tmp_path_factory.mktemp("tree")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        pytest.param("a.yaml", ("a.yaml",), id="a name"),
        pytest.param("b.yaml a.yaml", ("a.yaml", "b.yaml"), id="names between spaces, sorted"),
        pytest.param("  b.yaml \r\n\n\ta.yaml\n", ("a.yaml", "b.yaml"), id="a name a line, with Windows' line ends"),
        pytest.param("?.yaml", ("a.yaml", "b.yaml"), id="a pattern"),
        pytest.param("**/[cd].yaml", ("deep/c.yaml", "deep/er/d.yaml"), id="any depth"),
        pytest.param("a.yaml ./a.yaml ?.yaml", ("a.yaml", "b.yaml"), id="each file once"),
        pytest.param("my chat.yaml", ("my chat.yaml",), id="a name with a space, alone on its line"),
        pytest.param("a.yaml\nmy chat.yaml", ("a.yaml", "my chat.yaml"), id="a name with a space below another"),
        pytest.param("my?chat.yaml a.yaml", ("a.yaml", "my chat.yaml"), id="a space as a question mark"),
        pytest.param("a[1].yaml", ("a[1].yaml",), id="brackets in the name of a file that exists"),
        pytest.param("-x.yaml", ("./-x.yaml",), id="a name like an option"),
        pytest.param("deep*/* *.txt", ("deep/c.yaml", "notes.txt"), id="files, never folders"),
    ],
)
def test_patterns_are_the_files_that_they_match(tree: Path, patterns: str, files: tuple[str, ...]) -> None:
    assert expand(patterns, tree) == files


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param(" \n\t", "is empty", id="white space"),
        pytest.param(
            "a.yaml z*.yaml", r"'z\*\.yaml' matches no file", id="a pattern without a match beside a good one"
        ),
        pytest.param("deep/", r"'deep/' matches no file.*deep/\*\.yaml", id="a folder, with what to write instead"),
        pytest.param("'a.yaml'", "matches no file", id="quotes, which no shell takes away"),
        pytest.param("$(echo a.yaml)", r"'\$\(echo' matches no file", id="a command of a shell"),
        pytest.param("~/a.yaml", "matches no file", id="a home that no shell fills in"),
        pytest.param("a.yaml\0", "no command line can carry", id="a NUL"),
        pytest.param("x" * 5000, "matches no file", id="longer than a name may be"),
    ],
)
def test_a_pattern_that_matches_nothing_is_named(tree: Path, patterns: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        expand(patterns, tree)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        pytest.param(Inputs(scenario="a.yaml"), "apply -- a.yaml", id="apply, where no command is named"),
        pytest.param(
            Inputs(
                command="apply",
                scenario="?.yaml",
                sets="spec.a=1\n\n  spec.b=[x, y] \n",
                env_file="ci.env",
                baseline="main",
                args="--lang ko --no-progress",
                store="s.db",
                outcome="o",
            ),
            "apply --outcome=o --store=s.db --env-file=ci.env --baseline=main --set=spec.a=1 '--set=spec.b=[x, y]'"
            " --lang ko --no-progress -- a.yaml b.yaml",
            id="apply with everything",
        ),
        pytest.param(
            Inputs(command="validate", scenario="a.yaml", sets="--store=x", store="s.db", outcome="o"),
            "validate --outcome=o --set=--store=x -- a.yaml",
            id="validate, which has no store, and a value like an option",
        ),
        pytest.param(Inputs(command="gate"), "gate latest", id="gate of the latest run"),
        pytest.param(
            Inputs(command="gate", args="--json"), "gate latest --json", id="gate with an option, and no run named"
        ),
        pytest.param(
            Inputs(command="gate", args="2026 --out 'r x'", scenario="b.yaml", baseline="-B", store="s.db"),
            "gate --store=s.db --baseline=-B --scenario=b.yaml 2026 --out 'r x'",
            id="gate with everything",
        ),
        pytest.param(
            Inputs(command="compare", args="main/result.json latest --format markdown", outcome="o"),
            "compare --outcome=o main/result.json latest --format markdown",
            id="compare",
        ),
    ],
)
def test_a_command_line_is_made_of_its_inputs(tree: Path, inputs: Inputs, words: str) -> None:
    assert shlex.join(command_line(inputs, tree).words) == words


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        pytest.param(Inputs(command="rm"), "command: 'rm' is none .* apply, gate, validate, compare", id="no command"),
        pytest.param(Inputs(command="apply"), "scenario: is empty", id="apply of nothing"),
        pytest.param(Inputs(scenario="a.yaml", args="--lang 'ko"), "args: cannot be split", id="an open quote"),
        pytest.param(Inputs(scenario="a.yaml", args="-- b.yaml"), "args: holds --", id="names among the args"),
        pytest.param(Inputs(scenario="a.yaml", args="--outcome=x"), "args: holds --outcome", id="an outcome elsewhere"),
        pytest.param(Inputs(scenario="a.yaml", baseline="a\nb"), "baseline: holds a line", id="two baselines"),
        pytest.param(Inputs(scenario="a.yaml", sets="a=\0"), "set: holds a character", id="a NUL in a value"),
        pytest.param(Inputs(scenario="a.yaml", sets="a=\ud800"), "set: holds a character", id="half a character"),
        pytest.param(Inputs(command="gate", scenario="?.yaml"), "scenario: matches 2 files", id="gate by two files"),
        pytest.param(Inputs(command="gate", sets="a=1"), "set: means nothing to gate", id="gate with a value"),
        pytest.param(Inputs(command="gate", shard="1/2"), "shard: means nothing to gate", id="gate of a shard"),
        pytest.param(
            Inputs(command="validate", scenario="a.yaml", baseline="main"),
            "baseline: means nothing to validate. Leave it out; it goes with apply, gate",
            id="validate with a baseline",
        ),
        pytest.param(Inputs(command="compare"), "args: names no run", id="compare of nothing"),
        pytest.param(
            Inputs(command="compare", args="a b", scenario="a.yaml"),
            "scenario: means nothing to compare",
            id="compare with a scenario",
        ),
        pytest.param(
            Inputs(command="compare", args="a b", env_file="x"),
            "env-file: means nothing to compare",
            id="compare with variables",
        ),
    ],
)
def test_inputs_that_cannot_be_are_refused(tree: Path, inputs: Inputs, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        command_line(inputs, tree)


def test_what_is_left_out_is_apply_by_the_gates() -> None:
    assert (command_of(Inputs()), fail_on_of(Inputs(fail_on=" \n"))) == (Command.APPLY, FailOn.GATE)


def test_a_word_that_no_policy_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"fail-on: 'maybe' is none that we know. Use one of: gate, inconclusive, never"
    ):
        fail_on_of(Inputs(fail_on="maybe"))


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1", "1/", "/2", "1/2/3", "-1/2", "1/0", "١/٢", "1/1000", "01/2", "a/b"]
)
def test_a_shard_is_two_numbers_of_which_the_first_is_in_range(text: str) -> None:
    with pytest.raises(UsageError, match="is no shard"):
        shard_of(Inputs(shard=text))


def test_a_shard_says_what_belongs_to_it() -> None:
    assert shard_of(Inputs(shard=" 2/4\n")) == Shard(2, 4)
    assert Shard(2, 4).suffix == "-2-of-4"
    assert shard_of(Inputs()) is None


def test_files_are_dealt_out_like_cards(tree: Path) -> None:
    inputs = [Inputs(command="validate", scenario="**/*.yaml", shard=f"{n}/3") for n in (1, 2, 3)]
    shares = [command_line(each, tree).names for each in inputs]
    assert shares == [
        ("./-x.yaml", "b.yaml", "my chat.yaml"),
        ("a.yaml", "deep/c.yaml"),
        ("a[1].yaml", "deep/er/d.yaml"),
    ]


def test_a_shard_of_runs_is_left_to_the_verb_which_knows_the_cells_of_every_file(tree: Path) -> None:
    line = command_line(Inputs(scenario="**/*.yaml", shard=" 2/3 ", args="--no-progress"), tree)
    assert line.words[:3] == ("apply", "--shard=2/3", "--no-progress")
    assert line.names == expand("**/*.yaml", tree)


def test_a_job_takes_no_more_files_than_an_outcome_can_tell(tmp_path: Path) -> None:
    for number in range(MOST_ENTRIES + 1):
        (tmp_path / f"{number}.yaml").touch()
    with pytest.raises(UsageError, match=r"matches 1,001 files, and one job takes 1,000 at most. Share them"):
        command_line(Inputs(scenario="*.yaml"), tmp_path)
    assert len(command_line(Inputs(command="validate", scenario="*.yaml", shard="1/2"), tmp_path).names) == 501
    assert command_line(Inputs(scenario="*.yaml", shard="1/2"), tmp_path).words[1] == "--shard=1/2"


@given(count=st.integers(1, 9))
def test_shards_are_disjoint_and_complete(tree: Path, count: int) -> None:
    everything = expand("**/*.yaml", tree)
    dealt: list[str] = []
    for number in range(1, count + 1):
        inputs = Inputs(command="validate", scenario="**/*.yaml", shard=f"{number}/{count}")
        if number <= len(everything):
            dealt += command_line(inputs, tree).names
        else:
            with pytest.raises(UsageError, match=r"has no scenario: 7 scenario files match. Use at most 7 shards"):
                command_line(inputs, tree)
    assert sorted(dealt) == list(everything)


HOSTILE = st.one_of(
    st.text(),
    st.text("-=*?[]$`'\"\\;&|\n\r\t ~/.a0\0\ud800"),
    st.sampled_from(["$(touch owned)", "`touch owned`", "--out=/", "-- --out", "a; rm -rf .", "%s", "::error::x"]),
)


def words_or_refused(inputs: Inputs, root: Path) -> tuple[str, ...] | str:
    """The command line, or the input that is at fault."""
    try:
        return command_line(inputs, root).words
    except UsageError as error:
        return error.where


@given(text=HOSTILE)
@example(text="--store=x")
@example(text="'")
def test_any_line_of_set_is_one_word_as_it_stands(tree: Path, text: str) -> None:
    lines = [line for line in (line.strip(" \t\r") for line in text.split("\n")) if line]
    as_it_stands = ("apply", *(f"--set={line}" for line in lines), "--", "a.yaml")
    cannot_be = "\0" in text or "\ud800" in text
    made = words_or_refused(Inputs(scenario="a.yaml", sets=text), tree)
    assert made == ("set" if cannot_be else as_it_stands)


@given(text=HOSTILE)
@example(text="--store=x")
def test_any_value_of_one_line_is_one_word_as_it_stands(tree: Path, text: str) -> None:
    value = text.strip(" \t\r\n")
    as_it_stands = ("apply", *((f"--baseline={value}",) if value else ()), "--", "a.yaml")
    cannot_be = any(character in text for character in "\0\ud800") or any(end in value for end in "\r\n")
    made = words_or_refused(Inputs(scenario="a.yaml", baseline=text), tree)
    assert made == ("baseline" if cannot_be else as_it_stands)


@given(text=HOSTILE.map(lambda text: text.replace("/", "|")))  # /** would walk through this whole machine
def test_any_scenario_is_files_of_the_tree_or_refused(tree: Path, text: str) -> None:
    made = words_or_refused(Inputs(scenario=text), tree)
    assert made == "scenario" or (
        made[:2] == ("apply", "--")
        and all(not name.startswith("-") and (tree / name).is_file() for name in made[2:])
        and len(made) > 2
    )


@given(text=HOSTILE)
def test_any_args_are_the_words_that_a_shell_would_read(tree: Path, text: str) -> None:
    made = words_or_refused(Inputs(scenario="a.yaml", args=text), tree)
    assert made == "args" or made == ("apply", *shlex.split(text), "--", "a.yaml")


@given(words=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_quoted_args_arrive_unchanged(tree: Path, words: list[str]) -> None:
    kept = [word for word in words if word != "--" and word.partition("=")[0] != "--outcome"]
    assert command_line(Inputs(scenario="a.yaml", args=shlex.join(kept)), tree).words == (
        "apply",
        *kept,
        "--",
        "a.yaml",
    )


def where_refused(ask: Callable[[Inputs], object], inputs: Inputs) -> str:
    """The input at fault; empty where it is understood."""
    try:
        ask(inputs)
    except UsageError as error:
        return error.where
    return ""


@given(text=HOSTILE)
def test_any_other_input_is_understood_or_refused(text: str) -> None:
    inputs = Inputs(command=text, fail_on=text, shard=text)
    assert where_refused(command_of, inputs) in {"", "command"}
    assert where_refused(fail_on_of, inputs) in {"", "fail-on"}
    assert where_refused(shard_of, inputs) in {"", "shard"}
