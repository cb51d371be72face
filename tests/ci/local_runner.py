"""Runs a composite action here, as GitHub's runner does: its expressions, its shells, its files, its artifacts.

Only what our own files use is known; anything else is an error, and so is never taken for something. `uses:` steps are
not run: they are recorded with their inputs, and an upload lists the files that it would have taken.
https://docs.github.com/actions/reference/workflows-and-actions has the rules.
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from tests.ci.expressions import Context, Value, evaluate, interpolate

FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was reached. `outcome` is before, `conclusion` after `continue-on-error`."""

    name: str
    outcome: str
    conclusion: str
    code: int = 0
    out: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    uses: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What the action came to."""

    steps: Mapping[str, Step]
    outputs: Mapping[str, str]
    summary: str
    code: int

    @property
    def log(self) -> str:
        """All that was printed, in order."""
        return "".join(step.out for step in self.steps.values())

    @property
    def commands(self) -> list[str]:
        """The lines of the log that GitHub would have obeyed, which shells may switch off for a while."""
        return [line for step in self.steps.values() for line in obeyed(step.out)]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a job runs: the checkout, a folder for the runner's own files, variables, and what GitHub tells of it.

    `used` gives the outputs of actions by name (`actions/setup-python`); those in `broken` fail, and the runner's files
    among them cannot be written. A step by the name of one in `cancelled` is interrupted once its file is there, as by
    the button of a job's page.
    """

    workspace: Path
    temp: Path
    env: Mapping[str, str]
    github: Mapping[str, Value] = field(default_factory=dict)
    used: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    cancelled: Mapping[str, Path] = field(default_factory=dict)


def obeyed(log: str) -> list[str]:
    """Workflow commands of one step's log: lines that begin with `::`, but for those between stop and go on."""
    found: list[str] = []
    token: str | None = None
    for line in map(str.strip, log.splitlines()):
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    return found


def run_action(folder: Path, machine: Machine, **inputs: str) -> Job:
    """Run every step of the action in `folder`; inputs by name, with `_` for `-`."""
    action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    if unknown := given.keys() - action["inputs"].keys():
        raise ValueError(f"the action has no inputs {sorted(unknown)}")
    values = {name: given.get(name, str(each.get("default", ""))) for name, each in action["inputs"].items()}
    runner = _Runner(folder, machine, values)
    for number, step in enumerate(action["runs"]["steps"]):
        runner.take(number, step)
    context = runner.context()
    outputs = {name: interpolate(each["value"], context) for name, each in action["outputs"].items()}
    return Job(runner.taken, outputs, runner.read("GITHUB_STEP_SUMMARY"), runner.code)


class _Runner:
    """One job that goes on: what its steps have left behind until now."""

    def __init__(self, folder: Path, machine: Machine, inputs: Mapping[str, str]) -> None:
        self.folder, self.machine, self.inputs = folder, machine, inputs
        self.taken: dict[str, Step] = {}
        self.by_id: dict[str, Step] = {}
        self.code = 0
        self.files = {name: machine.temp / name.lower() for name in FILES}
        for name, path in self.files.items():
            path.mkdir() if name in machine.broken else path.touch()

    def context(self, env: Mapping[str, str] | None = None) -> Context:
        github: dict[str, Value] = {
            "action_path": str(self.folder),
            "workspace": str(self.machine.workspace),
            "token": "a-token",
            **self.machine.github,
        }
        steps: dict[str, Value] = {
            key: {"outputs": dict(step.outputs), "outcome": step.outcome, "conclusion": step.conclusion}
            for key, step in self.by_id.items()
        }
        names: dict[str, Value] = {
            "inputs": dict(self.inputs),
            "steps": steps,
            "github": github,
            "runner": {"temp": str(self.machine.temp), "os": "Linux"},
            "env": dict(env or {}),
        }
        return Context(names, has_failed=self.code != 0)

    def read(self, name: str) -> str:
        path = self.files[name]
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def take(self, number: int, step: Mapping[str, object]) -> None:
        """Run or record one step, unless its condition forbids it."""
        name = str(step.get("name", number))
        context = self.context()
        if not self._is_due(step, context):
            done = Step(name, "skipped", "skipped")
        elif "uses" in step:
            done = self._record(name, step, context)
        else:
            done = self._run(name, step, context)
        forgiven = done.outcome == "failure" and step.get("continue-on-error") is True
        if forgiven:
            done = replace(done, conclusion="success")
        elif done.outcome == "failure" and "always()" in str(step.get("if", "")):
            self.code = done.code
        elif done.outcome == "failure":
            self.code = self.code or done.code
        self.taken[name] = done
        if "id" in step:
            self.by_id[str(step["id"])] = done

    def _is_due(self, step: Mapping[str, object], context: Context) -> bool:
        condition = str(step.get("if", "success()"))
        told = evaluate(condition, context)
        return bool(told) and (not context.has_failed or "always()" in condition)

    def _record(self, name: str, step: Mapping[str, object], context: Context) -> Step:
        uses = str(step["uses"]).partition("@")[0]
        inputs = {key: interpolate(str(value), context) for key, value in _mapping(step.get("with")).items()}
        if uses in self.machine.broken:
            return Step(name, "failure", "failure", 1, inputs=inputs, uses=uses)
        files = uploaded(inputs["path"], self.machine.workspace) if uses == "actions/upload-artifact" else ()
        outputs = self.machine.used.get(uses, {})
        return Step(name, "success", "success", outputs=outputs, inputs=inputs, uses=uses, files=files)

    def _run(self, name: str, step: Mapping[str, object], context: Context) -> Step:
        if step["shell"] != "bash":
            raise ValueError(f"no shell but bash is known here: {step['shell']}")
        env = {key: interpolate(str(value), context) for key, value in _mapping(step.get("env")).items()}
        directory = interpolate(str(step.get("working-directory", "")), context)
        script = self.machine.temp / "script.sh"
        script.write_text(str(step["run"]), encoding="utf-8")
        self.files["GITHUB_OUTPUT"].write_text("", encoding="utf-8")
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.machine.workspace / directory,
            env={**self._variables(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            if name in self.machine.cancelled:
                _interrupt_at(process, self.machine.cancelled[name])
            out, _ = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
        outcome = "success" if process.returncode == 0 else "failure"
        return Step(name, outcome, outcome, process.returncode, out, assignments(self.read("GITHUB_OUTPUT")))

    def _variables(self) -> dict[str, str]:
        """What GitHub sets, what the machine has, and what earlier steps added to both."""
        path = os.pathsep.join([*reversed(self.read("GITHUB_PATH").split()), self.machine.env["PATH"]])
        return {
            **self.machine.env,
            **assignments(self.read("GITHUB_ENV")),
            **{name: str(path) for name, path in self.files.items()},
            "PATH": path,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.folder),
            "GITHUB_WORKSPACE": str(self.machine.workspace),
            "RUNNER_TEMP": str(self.machine.temp),
        }


def _interrupt_at(process: subprocess.Popen[str], sign: Path) -> None:
    """GitHub's runner interrupts the process that it started, and not those below."""
    end = time.monotonic() + 30
    while not sign.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"{sign} never came to be")
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)


def assignments(content: str) -> dict[str, str]:
    """A file of `name=value` lines and `name<<END` blocks; anything else fails the step, as it does on GitHub."""
    found: dict[str, str] = {}
    lines = iter(content.splitlines())
    for line in lines:
        name, is_line, value = line.partition("=")
        block, is_block, end = line.partition("<<")
        if is_block and len(block) < len(name):
            held: list[str] = []
            for each in lines:
                if each == end:
                    break
                held.append(each)
            else:
                raise ValueError(f"no line ends the value of {block!r}")
            found[block] = "\n".join(held)
        elif is_line:
            found[name] = value
        elif line:
            raise ValueError(f"no assignment: {line!r}")
    return found


def uploaded(patterns: str, workspace: Path) -> tuple[str, ...]:
    """The files below paths and patterns, one a line, by their names from the workspace; hidden ones stay behind."""
    found: set[Path] = set()
    for pattern in filter(None, map(str.strip, patterns.splitlines())):
        for place in map(Path, glob.glob(str(workspace / pattern), recursive=True)):  # noqa: PTH207 - also whole paths
            found.update(place.rglob("*") if place.is_dir() else [place])
    names = (os.path.relpath(path, workspace) for path in found if path.is_file())
    return tuple(sorted(name for name in names if not _is_hidden(name)))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part != ".." for part in Path(name).parts)


def _mapping(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"no mapping: {value!r}")
    return {str(key): each for key, each in value.items()}
