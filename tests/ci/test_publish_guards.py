"""What the workflow with rights looks at before it reads an artifact that a stranger's job wrote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PUBLISH = Path(__file__).parents[2] / ".github/workflows/publish.yml"
FIND = "Find the artifact, and refuse one that is too large"


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


def listed(number: int, size: int, **more: object) -> dict[str, object]:
    return {"id": number, "name": "to-publish", "size_in_bytes": size, "expired": False, **more}


@pytest.mark.parametrize(
    ("artifacts", "taken"),
    [
        pytest.param([listed(7, 1000)], 7, id="one of a usual size"),
        pytest.param([listed(7, 5_000_000)], 7, id="one that is just small enough"),
        pytest.param([listed(7, 5_000_001)], None, id="one that is too large"),
        pytest.param([listed(7, 10**20)], None, id="one beyond what a shell can count"),
        pytest.param([], None, id="none"),
        pytest.param([listed(8, 20), listed(9, 30), listed(7, 10)], 9, id="one of each attempt"),
        pytest.param([listed(7, 10), listed(9, 5_000_001)], None, id="a newest one that is too large"),
        pytest.param([listed(7, 10), listed(9, 30, expired=True)], 7, id="a newest one that is gone"),
        pytest.param([listed(7, 10, expired=True)], None, id="one that is gone"),
    ],
)
def test_the_newest_artifact_is_downloaded_if_it_is_of_a_fair_size(
    tmp_path: Path, artifacts: list[dict[str, object]], taken: int | None
) -> None:
    """GitHub's own program asks GitHub; here one stands for it that gives the answer, to the same question only."""
    program = tmp_path / "gh"
    program.write_text(
        "#!/usr/bin/env python3\nimport sys\n"
        "wanted = ['api', 'repos/owner/name/actions/runs/42/artifacts?name=to-publish', '--jq',\n"
        "          r'[.artifacts[] | select(.expired | not)] | max_by(.id) | \"\\(.id) \\(.size_in_bytes)\"']\n"
        f"assert sys.argv[1:] == wanted, sys.argv\nartifacts = {artifacts}\n"
        "found = max((each for each in artifacts if not each['expired']), key=lambda each: each['id'], default=None)\n"
        "print('null null' if found is None else f\"{found['id']} {found['size_in_bytes']}\")\n"
    )
    program.chmod(0o755)
    output = tmp_path / "output"
    done = run_step(FIND, tmp_path, GITHUB_REPOSITORY="owner/name", RUN_ID="42", GITHUB_OUTPUT=str(output))
    assert (done.returncode == 0) is (taken is not None), done.stdout + done.stderr
    assert done.stdout.startswith("::error::") is (taken is None)
    assert (output.read_text() if output.exists() else None) == (f"id={taken}\n" if taken else None)


def test_what_is_downloaded_is_what_was_looked_at() -> None:
    steps = yaml.safe_load(PUBLISH.read_text(encoding="utf-8"))["jobs"]["publish"]["steps"]
    (download,) = (step["with"] for step in steps if "download-artifact@" in step.get("uses", ""))
    (looked,) = (step for step in steps if step.get("name") == FIND)
    assert download["artifact-ids"] == f"${{{{ steps.{looked['id']}.outputs.id }}}}"
    assert {"name", "pattern"}.isdisjoint(download)


def test_what_was_refused_is_read_by_no_step() -> None:
    steps = yaml.safe_load(PUBLISH.read_text(encoding="utf-8"))["jobs"]["publish"]["steps"]
    guard = next(place for place, step in enumerate(steps) if step.get("name", "").startswith("Refuse what is large"))
    assert not [step for step in steps[:guard] if "llmload-outcome" in step.get("run", "")]
    conditions = [step["if"] for step in steps[guard:] if "if" in step]
    assert conditions == [f"always() && steps.{steps[guard]['id']}.outcome == 'success'"]


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
