"""Runs the real command, as a user does: in its own process, or within this one where a process adds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path

UNCOVERED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""The environment for a child that must not carry the coverage tool, which imports and writes things itself."""

LLMLOAD = str(Path(sys.executable).parent / "llmload")


def start(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Begin a command; its output is captured, and it is the leader of no group but ours."""
    return subprocess.Popen(
        [LLMLOAD, *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "160", "LLMLOAD_LANG": "en", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def llmload(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, within_s: float = 90
) -> subprocess.CompletedProcess[str]:
    """A finished command: exit code, stdout and stderr."""
    with start(*arguments, cwd=cwd, env=env) as process:
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def here(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The same command within this process, which starts no interpreter: for the many ways to ask wrongly.

    A new application each time; what only a process has (signals, the last line of defence) is not in it.
    """
    import structlog
    from typer.testing import CliRunner

    from llmload.cli import new_app, verbs
    from llmload.errors import LlmloadError

    app = new_app()
    verbs.register(app)
    logging = structlog.get_config()
    with chdir(cwd):
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "160", "LLMLOAD_LANG": "en", **(env or {})})
    structlog.configure(**logging)  # the verb logs to the stderr of the runner, which is gone now
    code, err = done.exit_code, done.stderr
    if isinstance(done.exception, LlmloadError):
        code, err = done.exception.exit_code, f"{err}llmload: {done.exception}\n"
    elif done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, code, done.stdout, err)


_BUSY = ("client was late", "client stalled", "client could not keep up", "client used its whole core")


def measured(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Like `here`, tried again (three times in all) where the machine was too busy to measure anything.

    "The client was late" is the right answer on a busy machine, and says nothing about what a test is after. The
    simulator and the workers, which measure, are processes of their own here too.
    """
    return _calm(lambda: here(*arguments, cwd=cwd, env=env))


def measured_apart(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Like `llmload`, tried again as often: where the process itself, its end or all that it prints is the subject."""
    return _calm(lambda: llmload(*arguments, cwd=cwd, env=env))


def _calm(attempt: Callable[[], subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
    for _ in range(3):
        done = attempt()
        if done.returncode != 5 or not any(rule in done.stdout + done.stderr for rule in _BUSY):
            break
    return done


def write_scenario(directory: Path, name: str = "chat", **changes: object) -> Path:
    """A small scenario on the embedded simulator, with `changes` by dotted path under `spec`, as YAML text.

    `slo="{ttft: 1s}"`, `target__url="http://..."` (two underscores stand for a dot, None removes the key). It asks for
    the two reports that cost nothing to make; `reports=None` is all of them.
    """
    import yaml

    spec: dict[str, object] = {
        "target": {"simulator": {"decode_base": "1ms", "decode_per_seq": "10us", "prefill": "100000 tok/s"}},
        "workload": {"prompts": {"synthetic": {"input_tokens": 32, "output_tokens": 8}}},
        "load": {"concurrency": [4], "requests": 100, "warmup": {"requests": 4}},
        "slo": {"e2e": "10s"},
        "gates": ["goodput >= 90%"],
        "reports": {"formats": ["json", "junit"]},
    }
    for path, value in changes.items():
        place = spec
        *parents, last = path.split("__")
        for key in parents:
            place = place.setdefault(key, {})  # type: ignore[assignment]  # the literal above is nested dicts
        if value is None:
            place.pop(last, None)
        else:
            place[last] = yaml.safe_load(value) if isinstance(value, str) else value
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": name}, "spec": spec}
    path_of_file = directory / f"{name}.yaml"
    path_of_file.write_text(yaml.safe_dump(document, sort_keys=False))
    return path_of_file
