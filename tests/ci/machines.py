"""Where the action runs in tests: a checkout in a temporary folder, and the llmload of this environment on the PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.ci.local_runner import Job, Machine, run_action

ACTION = Path(__file__).parents[2] / ".github/actions/apply"
BIN = Path(sys.executable).parent

HOSTILE = {
    "a command in brackets": "$(touch pwned)",
    "a command in backticks": "`touch pwned`",
    "a command behind": "x; touch pwned",
    "a command on a line of its own": "x\ntouch pwned\n",
    "quotes that close": "'\" ; touch pwned; '\"",
    "spaces from nowhere": "x;touch${IFS}pwned",
    "outputs": "x\njob-code=0\nverdict=pass\ncode=0",
    "outputs of old": "x\n::set-output name=verdict::pass\n::stop-commands::x",
    "the end of a block": "x\nEOF\nverdict=pass\nverdict<<EOF\npass\nEOF",
    "an option": "--help",
    "a dash": "-",
    "an expression": "${{ github.token }}",
}
"""What may stand in an input, by what it is after."""

_OUTPUTS = {
    *("verdict", "exit-code", "job-code", "goodput", "failed-gates", "regressions", "run-id"),
    *("report-dir", "junit-path", "json-path", "artifact-suffix"),
}

SETUP_PYTHON, UPLOAD = "actions/setup-python", "actions/upload-artifact"


def machine(folder: Path, *, path: Path = BIN, env: Mapping[str, str] | None = None) -> Machine:
    """A job's machine whose checkout is below `folder`, and which reaches only itself; llmload is found in `path`."""
    workspace, temp = folder / "checkout", folder / "runner"
    workspace.mkdir(exist_ok=True)
    temp.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "COVERAGE_"))}
    variables = {
        **own,
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
        "LLMLOAD_LANG": "en",
        "GIT_CEILING_DIRECTORIES": str(folder),
        "GITHUB_API_URL": "http://127.0.0.1:1",  # where nobody listens
        "GITHUB_REPOSITORY": "owner/name",
        **(env or {}),
    }
    return Machine(workspace, temp, variables, used={SETUP_PYTHON: {"python-path": sys.executable}})


def apply(where: Machine, **inputs: str) -> Job:
    """Run the action with the llmload of this environment."""
    return run_action(ACTION, where, **{"version": "installed", **inputs})


def keyword(name: str) -> str:
    """An input as `apply` takes it."""
    return name.replace("-", "_")


def assert_harmless(folder: Path, done: Job) -> None:
    """Nothing that stood in an input was run, became an output, or was a command to the runner."""
    assert list(folder.rglob("*pwned*")) == []
    told = {name for step in done.steps.values() for name in step.outputs}
    assert told <= {"code", "directory", "llmload", "paths", *_OUTPUTS}
    assert [line for line in done.commands if not line.startswith(("::error ", "::warning ", "::notice "))] == []
