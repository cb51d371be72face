"""The command as a whole: fast help, light imports, honest exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmload import __version__
from tests.command import LLMLOAD, UNCOVERED, here, llmload, start, write_scenario

HEAVY = ("pydantic", "rich", "httpx", "datasette", "openpyxl", "scipy", "numpy", "yaml", "jinja2", "sqlite3")


@pytest.mark.parametrize(("option", "shown"), [("--help", "apply"), ("--version", f"llmload {__version__}\n")])
def test_help_and_version_import_nothing_heavy(option: str, shown: str) -> None:
    program = (
        f"import sys; sys.argv = ['llmload', {option!r}]\n"
        "from llmload.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], env=UNCOVERED, capture_output=True, text=True, check=True
    ).stdout
    assert "LOADED []" in out
    assert shown in out


def test_the_version_is_one_line_of_its_own_whatever_follows(tmp_path: Path) -> None:
    for words in (["--version"], ["--version", "apply", "no-such-file.yaml"]):
        done = here(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"llmload {__version__}\n", "")


def test_an_env_file_fills_what_the_environment_leaves_open(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# comment\nexport TOKENS='8'\nNOT A LINE\n")
    (tmp_path / "s.yaml").write_text("apiVersion: llmload/v1\n")
    done = llmload("apply", "--env-file", ".env", "s.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert ".env:3" in done.stderr


def test_an_env_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    done = here("apply", "--env-file", "no.env", write_scenario(tmp_path).name, cwd=tmp_path)
    assert done.returncode == 2
    assert "--env-file no.env: the file of variables cannot be read (No such file or directory)." in done.stderr


@pytest.mark.parametrize("verb", ["info", "gpu"])
def test_an_output_without_room_is_no_defect_of_ours(verb: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [LLMLOAD, verb]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 141
    assert done.stderr.endswith("llmload: the output cannot be written (No space left on device)\n")


def test_a_reader_that_is_gone_is_no_verdict_and_never_1(tmp_path: Path) -> None:
    name = write_scenario(tmp_path).name
    with start("plan", name, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 141
