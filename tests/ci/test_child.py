"""A child process and signals: real ones, to this very process and to processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmload.ci.child import Ended, own_command, run_to_end
from llmload.errors import UsageError

LISTENER = """
import signal, sys, time
heard = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: heard.append(signal.Signals(number).name))
print("ready", file=open(sys.argv[1], "w"), flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.2)  # long enough for the same signal to come twice
print(*heard, file=open(sys.argv[1], "w"), flush=True)
sys.exit({"SIGINT": 130, "SIGTERM": 143}[heard[0]])
"""
"""Tells in a file that it is there, and then which signals it heard within a fifth of a second."""

DEAF = """
import signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("ready", file=open(sys.argv[1], "w"), flush=True)
time.sleep(60)
"""


def once_ready(file: Path, *signals: signal.Signals, to: int) -> threading.Thread:
    """Send signals as soon as a child has written to its file."""

    def send() -> None:
        end = time.monotonic() + 20
        while not (file.exists() and file.read_text().strip()) and time.monotonic() < end:
            time.sleep(0.01)
        for number in signals:
            os.kill(to, number)
            time.sleep(0.05)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("sent", "heard", "code"),
    [
        pytest.param(signal.SIGINT, "SIGINT", 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, "SIGTERM", 143, id="SIGTERM"),
        pytest.param(signal.SIGHUP, "SIGTERM", 143, id="a terminal that is gone, as a signal that keeps what there is"),
    ],
)
def test_a_signal_is_passed_on_once_and_the_code_of_the_child_kept(
    tmp_path: Path, sent: signal.Signals, heard: str, code: int
) -> None:
    file = tmp_path / "heard"
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` has it ignored
    sender = once_ready(file, sent, to=os.getpid())
    try:
        assert run_to_end([sys.executable, "-c", LISTENER, str(file)]).code == code
    finally:
        signal.signal(signal.SIGHUP, before)
    sender.join()
    assert file.read_text().split() == [heard]


def test_a_terminal_that_is_gone_is_ignored_under_nohup(tmp_path: Path) -> None:
    file = tmp_path / "heard"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sender = once_ready(file, signal.SIGHUP, signal.SIGTERM, to=os.getpid())
    try:
        assert run_to_end([sys.executable, "-c", LISTENER, str(file)]).code == 143
    finally:
        signal.signal(signal.SIGHUP, before)
    sender.join()
    assert file.read_text().split() == ["SIGTERM"]


def test_ctrl_c_in_a_terminal_which_goes_to_the_whole_group_is_heard_once(tmp_path: Path) -> None:
    file = tmp_path / "heard"
    script = "import sys; from llmload.ci.child import run_to_end; sys.exit(run_to_end(sys.argv[1:]).code)"
    command = [sys.executable, "-c", script, sys.executable, "-c", LISTENER, str(file)]
    with subprocess.Popen(command, start_new_session=True) as group:
        once_ready(file, signal.SIGINT, to=-group.pid).join()
        assert group.wait(20) == 130
    assert file.read_text().split() == ["SIGINT"]


def test_a_child_that_ignores_signals_is_killed_soon_after_the_second(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    sender = once_ready(file, signal.SIGINT, signal.SIGTERM, to=os.getpid())
    begun = time.monotonic()
    assert run_to_end([sys.executable, "-c", DEAF, str(file)], patience_s=0.1) == Ended(130, "SIGKILL")
    sender.join()
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("ending", "ended"),
    [
        pytest.param("sys.exit(0)", Ended(0), id="well"),
        pytest.param("sys.exit(3)", Ended(3), id="with a verdict"),
        pytest.param("sys.exit(77)", Ended(70), id="with a code that nobody gave a meaning"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", Ended(70, "SIGKILL"), id="killed, as for its memory"),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGRTMIN + 3)", Ended(70, "signal 37"), id="of a signal without a name"
        ),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM)", Ended(143, "SIGTERM"), id="stopped by somebody else"),
    ],
)
def test_how_the_child_ends_is_told_in_the_codes_of_the_contract(ending: str, ended: Ended) -> None:
    assert run_to_end([sys.executable, "-c", f"import os, signal, sys; {ending}"]) == ended


def test_afterwards_signals_are_as_they_were() -> None:
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = [signal.getsignal(number) for number in watched]
    run_to_end([sys.executable, "-c", ""])
    assert [signal.getsignal(number) for number in watched] == before


def test_a_command_line_that_is_too_long_is_told_as_one() -> None:
    with pytest.raises(UsageError, match=r"cannot be started .*Name fewer scenario files"):
        run_to_end([sys.executable, "-c", "", "x" * 1_000_000])


def test_our_own_command_imports_nothing_from_the_folder_that_it_stands_in(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    command = own_command(["validate", "--format", "json", "none.yaml"])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "imported from" in done.stderr) == (2, False), done.stderr


def test_the_files_by_which_steps_change_later_ones_are_not_handed_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a scenario launches has the environment of the verb."""
    for name in ("ENV", "OUTPUT", "PATH", "STATE", "STEP_SUMMARY"):
        monkeypatch.setenv(f"GITHUB_{name}", str(tmp_path / name))
    monkeypatch.setenv("GITHUB_SHA", "0" * 40)
    script = (
        "import os, sys; print(*sorted(n for n in os.environ if n.startswith('GITHUB_')), file=open(sys.argv[1], 'w'))"
    )
    seen = tmp_path / "seen"
    assert run_to_end((sys.executable, "-c", script, str(seen))) == Ended(0)
    names = set(seen.read_text().split())
    assert "GITHUB_SHA" in names
    assert not names & {"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}
