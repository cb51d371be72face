"""What the workflow with rights looks at before it reads an artifact that a stranger's job wrote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PUBLISH = Path(__file__).parents[2] / ".github/workflows/publish.yml"


def run_step(name: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One step of the job, by the shell that GitHub takes where none is named."""
    steps = yaml.safe_load(PUBLISH.read_text(encoding="utf-8"))["jobs"]["publish"]["steps"]
    script = next(step["run"] for step in steps if step.get("name") == name)
    return subprocess.run(
        ["bash", "-e", "-c", script],
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", **env},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


@pytest.mark.parametrize(
    ("sizes", "is_taken"),
    [
        pytest.param("[1000]", True, id="one of a usual size"),
        pytest.param("[5000000]", True, id="one that is just small enough"),
        pytest.param("[5000001]", False, id="one that is too large"),
        pytest.param("[]", False, id="none"),
        pytest.param("[10, 10]", False, id="two of one name"),
    ],
)
def test_an_artifact_is_downloaded_if_there_is_one_of_a_fair_size(tmp_path: Path, sizes: str, is_taken: bool) -> None:
    """GitHub's own program asks GitHub; here one stands for it that gives the answer, to the same question only."""
    program = tmp_path / "gh"
    program.write_text(
        "#!/usr/bin/env python3\nimport sys\n"
        "wanted = ['api', 'repos/owner/name/actions/runs/42/artifacts?name=to-publish', '--jq',\n"
        "          r'[.artifacts[].size_in_bytes] | \"\\(length) \\(add)\"']\n"
        f"assert sys.argv[1:] == wanted, sys.argv\nsizes = {sizes}\n"
        "print(len(sizes), sum(sizes) if sizes else 'null')\n"
    )
    program.chmod(0o755)
    done = run_step("Refuse an artifact that is too large", tmp_path, GITHUB_REPOSITORY="owner/name", RUN_ID="42")
    assert (done.returncode == 0) is is_taken, done.stdout + done.stderr
    assert done.stdout.startswith("::error::") is not is_taken


def _file(folder: Path) -> None:
    (folder / "outcome.json").write_text("{}")


def _link(folder: Path) -> None:
    (folder / "outcome.json").symlink_to("/etc/passwd")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "outcome.json")


def _large(folder: Path) -> None:
    with (folder / "outcome.json").open("wb") as file:
        file.truncate(50_000_001)


@pytest.mark.parametrize(("put", "is_taken"), [(_file, True), (_link, False), (_pipe, False), (_large, False)])
def test_what_came_out_of_it_are_files_of_a_fair_size(tmp_path: Path, put: object, is_taken: bool) -> None:
    folder = tmp_path / "measured/llmload-outcome"
    folder.mkdir(parents=True)
    assert callable(put)
    put(folder)
    done = run_step("Refuse what is large unpacked, and links", tmp_path, RUNNER_TEMP=str(tmp_path))
    assert (done.returncode == 0) is is_taken, done.stdout + done.stderr
