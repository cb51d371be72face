"""The command as a whole: fast help, light imports, honest exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import LLMLOAD, UNCOVERED, llmload, start, write_scenario

HEAVY = ("pydantic", "rich", "httpx", "datasette", "openpyxl", "scipy", "numpy", "yaml", "jinja2", "sqlite3")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['llmload', '--help']\n"
        "from llmload.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], env=UNCOVERED, capture_output=True, text=True, check=True
    ).stdout
    assert "LOADED []" in out
    assert "apply" in out


def test_an_env_file_fills_what_the_environment_leaves_open(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# comment\nexport TOKENS='8'\nNOT A LINE\n")
    (tmp_path / "s.yaml").write_text("apiVersion: llmload/v1\n")
    done = llmload("apply", "--env-file", ".env", "s.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert ".env:3" in done.stderr


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
