"""Hostile inputs: whatever stands in one, it stays one word, runs nothing, and adds no output.

An input comes from a workflow, and there often from a title, a branch or a label that anybody can write.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.ci.local_runner import Machine
from tests.ci.machines import ACTION, HOSTILE, apply, assert_harmless, keyword, machine

PASSED_ON = ("scenario", "command", "args", "set", "env-file", "baseline", "fail-on", "shard")
CHECKED = ("version", "summary", "comment", "working-directory")
OTHERS = ("comment-key", "artifact-name")

hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def test_every_input_is_attacked_here() -> None:
    inputs = yaml.safe_load((ACTION / "action.yml").read_text())["inputs"]
    assert {*PASSED_ON, *CHECKED, *OTHERS} == set(inputs)


@hostile
@pytest.mark.parametrize("name", CHECKED)
def test_an_input_that_is_checked_first_is_refused_before_anything_is_run(tmp_path: Path, name: str, text: str) -> None:
    where = _recording(tmp_path)
    done = apply(where, **{name: text})
    assert done.code == 2
    assert done.steps["Run llmload"].outcome == "skipped"
    assert [line.partition("::The input ")[0] for line in done.commands] == ["::error title=llmload"]
    assert _recorded(tmp_path) == []
    assert_harmless(tmp_path, done)
    assert done.outputs["verdict"] == ""


@hostile
def test_an_input_that_is_passed_on_is_one_word(tmp_path: Path, text: str) -> None:
    done = apply(
        _recording(tmp_path), **dict.fromkeys(map(keyword, PASSED_ON), text), comment="always", comment_key=text,
        artifact_name=text,
    )  # fmt: skip
    run, comment = (
        [words for words in _recorded(tmp_path) if words[:2] == ["ci", verb]] for verb in ("run", "comment")
    )
    assert run == [["ci", "run", *(f"--{name}={text}" for name in _in_order(run[0])), "--outcome=llmload-outcome"]]
    assert comment == [["ci", "comment", "--when=always", f"--key={text}", "llmload-outcome"]]
    assert_harmless(tmp_path, done)


@hostile
def test_names_of_folders_are_paths_and_nothing_else(tmp_path: Path, text: str) -> None:
    """A report lies wherever the scenario says, which a pull request may change."""
    names = [line for line in ["llmload-outcome", *text.splitlines()] if line]
    assert _listed(tmp_path, text, *names) == [_pattern(f"{tmp_path}/folder/{name}") for name in names]
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {name.partition("/")[0] for name in names}


@pytest.mark.parametrize(
    ("told", "there", "kept"),
    [
        pytest.param("reports", ["reports"], ["reports"], id="one below"),
        pytest.param("../reports", ["../reports"], ["../reports"], id="one beside"),
        pytest.param("./a/../reports", ["a", "reports"], ["reports"], id="one by a detour"),
        pytest.param(".", [], [], id="the checkout"),
        pytest.param("..\n/\n../folder", [], [], id="all above it"),
        pytest.param("gone", [], [], id="one that is not there"),
        pytest.param("[a]*?", ["[a]*?", "ab"], ["[a]*?"], id="one that reads as a pattern"),
        pytest.param("a\\b", ["a\\b", "ab"], ["a\\b"], id="one with a backslash"),
        pytest.param(
            "~\n!x\n#y\n-", ["~", "!x", "#y", "-"], ["~", "!x", "#y", "-"], id="marks of the uploading action"
        ),
    ],
)
def test_a_folder_is_kept_that_is_there_and_is_no_checkout(
    tmp_path: Path, told: str, there: list[str], kept: list[str]
) -> None:
    wanted = [_pattern(os.path.normpath(f"{tmp_path}/folder/{name}")) for name in kept]
    assert _listed(tmp_path, told, *there) == wanted


def _listed(top: Path, told: str, *there: str) -> list[str]:
    """The paths that are listed in a folder where these ones are."""
    folder, output = top / "folder", top / "output"
    folder.mkdir()
    for name in there:
        (folder / name).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["bash", str(ACTION / "list_artifact.sh")],
        env={"PATH": os.environ["PATH"], "REPORT_DIR": told, "GITHUB_OUTPUT": str(output), "HOME": "/"},
        cwd=folder, capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    first, *paths, last = output.read_text().splitlines()
    assert (done.stdout, first.removeprefix("paths<<")) == ("", last)
    return paths


def _pattern(path: str) -> str:
    """What the uploading action takes for this very path: https://github.com/actions/toolkit/tree/main/packages/glob."""
    return re.sub(r"[\[*?]", r"[\g<0>]", path.replace("\\", "\\\\"))


@pytest.mark.parametrize("version", ["1.2.3", "1!2.0", "2.0rc1", "0.1.0.post1.dev2", "1.0+cpu.1", "2026.11"])
def test_a_version_is_asked_of_the_index_as_one_word(tmp_path: Path, version: str) -> None:
    """The Python that would install it is one that only tells its words."""
    where = _recording(tmp_path, "python")
    done = apply(_with_python(where, tmp_path / "programs/python"), version=version)
    assert done.code == 5
    assert _recorded(tmp_path)[0][:4] == ["-I", "-m", "venv", "--clear"]
    assert _recorded(tmp_path)[0][4].endswith(f"/llmload-environment-{version}")


def test_an_llmload_that_does_not_start_is_told_as_such(tmp_path: Path) -> None:
    where = _recording(tmp_path)
    (tmp_path / "programs/llmload").write_text("#!/usr/bin/env bash\necho no module named llmload >&2; exit 1\n")
    done = apply(where, scenario="*.yaml")
    assert (done.code, done.outputs["exit-code"], done.steps["Run llmload"].outcome) == (5, "5", "skipped")
    assert done.commands == ["::error title=llmload::The llmload of this job does not start: the log says why"]


@pytest.mark.parametrize("code", ["", "3x", "-1", "0\n1", "$(touch pwned)", "1000"])
def test_what_is_no_code_ends_as_a_defect(tmp_path: Path, code: str) -> None:
    output = tmp_path / "output"
    done = subprocess.run(
        ["bash", str(ACTION / "finish.sh")],
        env={"PATH": os.environ["PATH"], "CODE": code, "GITHUB_OUTPUT": str(output)},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=10,
    )  # fmt: skip
    assert (done.returncode, output.read_text()) == (70, "code=70\n")
    assert not (tmp_path / "pwned").exists()


# ---------------------------------------------------------------- programs that only tell their words


def _recording(folder: Path, name: str = "llmload") -> Machine:
    """A machine whose llmload writes its words down, with a NUL behind each, and does nothing."""
    programs = folder / "programs"
    programs.mkdir()
    script = programs / name
    script.write_text(f"#!/usr/bin/env bash\n{{ printf '%s\\0' \"$@\"; echo; }} >>'{folder}/words'\n")
    script.chmod(0o755)
    return machine(folder, path=programs)


def _recorded(folder: Path) -> list[list[str]]:
    """The words of each start, but for those that only tell what it is."""
    file = folder / "words"
    starts = file.read_text().split("\0\n")[:-1] if file.exists() else []
    return [words for words in (start.split("\0") for start in starts) if words not in (["info"], ["--version"])]


def _with_python(where: Machine, python: Path) -> Machine:
    return replace(where, used={"actions/setup-python": {"python-path": str(python)}})


def _in_order(words: list[str]) -> list[str]:
    return [word[2:].partition("=")[0] for word in words[2:-1]]
