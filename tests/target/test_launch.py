"""Servers that are launched: real processes, which are gone afterwards whatever happened."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import TargetError, UsageError
from llmload.progress import Waiting
from llmload.scenario.asked import Launch
from llmload.target.launch import GRACE_S, launched
from llmload.target.place import Opened, open_target
from llmload.target.probe import Probed, probe
from llmload.target.server_log import TAIL_CHARACTERS, ServerLog
from tests.command import llmload, measured_apart, start, write_scenario
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import healthy, serving

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def toy(port: int, *arguments: str, env: dict[str, str] | None = None, ready_timeout_s: float = 30.0) -> Launch:
    command = (sys.executable, "-m", "tests.target.toy_server", str(port), *arguments)
    return Launch(f"http://127.0.0.1:{port}", command, {"PYTHONPATH": str(ROOT), **(env or {})}, ready_timeout_s)


@contextmanager
def opened(launch: Launch, log: Path, scrub: Callable[[str], str] = str) -> Iterator[Opened]:
    target = replace(a_target(""), place=launch)
    with open_target(target, env=os.environ, log=log, scrub=scrub) as server:
        yield server


def ask(server: Opened, waits: list[Waiting] | None = None) -> Probed:
    def once() -> Probed:
        return probe(a_target(server.url), server.url, workload=a_workload(), env={})

    return server.when_ready(once, (waits if waits is not None else []).append)


def is_running(pid: int) -> bool:
    """Whether it lives; one that nobody has collected yet is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pids: Sequence[int], within_s: float = 20) -> None:
    end = time.monotonic() + within_s
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.02)


def pids_in(file: Path, within_s: float = 20) -> list[int]:
    """The process ids that the toy server has written, once it has."""
    end = time.monotonic() + within_s
    while not file.exists():
        assert time.monotonic() < end, "it never started"
        time.sleep(0.02)
    return [int(line) for line in file.read_text().split()]


# ---------------------------------------------------------------- start, ready, stop


def test_it_is_started_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    port, log, waits = free_port(), tmp_path / "deep" / "server.log", list[Waiting]()
    with opened(toy(port, "--pids", str(tmp_path / "pids")), log) as server:
        assert ask(server, waits).facts.model == "tiny"
        assert server.death() is None
        pids = pids_in(tmp_path / "pids")
        assert os.getsid(pids[0]) == pids[0] != os.getsid(0)
    wait_until_gone(pids, within_s=0.1)
    assert log.read_text().startswith("toy server starts")
    assert waits
    assert {each.limit_s for each in waits} == {30.0}


def test_ready_by_its_word_is_not_enough(tmp_path: Path) -> None:
    with opened(toy(free_port(), "--fail-first", "8"), tmp_path / "log") as server:
        assert ask(server).facts.model == "tiny"


def test_its_variables_go_over_ours(tmp_path: Path) -> None:
    with opened(toy(free_port(), "--say", "$HF_HOME", env={"HF_HOME": "/models"}), tmp_path / "log") as server:
        ask(server)
    assert (tmp_path / "log").read_text().startswith("/models")


def test_a_server_that_is_never_ready_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    launch = toy(free_port(), "--unready", "--pids", str(tmp_path / "pids"), ready_timeout_s=2.0)
    with pytest.raises(TargetError) as caught, opened(launch, tmp_path / "log") as server:
        ask(server)
    assert "was not ready within 2s" in caught.value.problem
    assert "toy server starts" in caught.value.problem
    assert "ready_timeout" in caught.value.remedy
    wait_until_gone(pids_in(tmp_path / "pids"), within_s=0.1)


# ---------------------------------------------------------------- it dies


def death_of(launch: Launch, log: Path) -> TargetError:
    with pytest.raises(TargetError) as caught, opened(launch, log) as server:
        ask(server)
    assert caught.value.kind == "ServerDied"
    assert str(log) in caught.value.remedy or "foreground" in caught.value.remedy
    return caught.value


def test_one_that_dies_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    error = death_of(toy(free_port(), "--say", "\x1b[31mno such model\x1b[0m", "--die", "3"), tmp_path / "log")
    expected = "the launched server ended before it was ready with exit code 3; its last words: no such model"
    assert error.problem == expected


def test_one_that_ends_well_is_told_to_stay(tmp_path: Path) -> None:
    assert "stays in the foreground" in death_of(toy(free_port(), "--die", "0"), tmp_path / "log").remedy


def test_one_that_is_killed_is_told_with_the_signal(tmp_path: Path) -> None:
    launch = Launch(f"http://127.0.0.1:{free_port()}", ("sh", "-c", "kill -9 $$"), {}, 30.0)
    error = death_of(launch, tmp_path / "log")
    assert "with signal SIGKILL; it printed nothing" in error.problem
    assert "lack of memory" in error.remedy


def test_its_workers_die_with_it(tmp_path: Path) -> None:
    death_of(toy(free_port(), "--workers", "--pids", str(tmp_path / "pids"), "--die", "1"), tmp_path / "log")
    wait_until_gone(pids_in(tmp_path / "pids"), within_s=0.1)


def test_its_death_is_told_in_place_of_what_follows_from_it(tmp_path: Path) -> None:
    launch = toy(free_port(), "--die-after", "9")
    with pytest.raises(TargetError) as caught, opened(launch, tmp_path / "log") as server:
        list(map(ask, [server] * 9))
    assert caught.value.kind == "ServerDied"
    assert "while it was measured with exit code 7; its last words: " in caught.value.problem
    assert "CUDA error: out of memory" in caught.value.problem


# ---------------------------------------------------------------- nothing is left behind


def test_workers_that_ignore_sigterm_are_killed_in_its_group_and_out_of_it(tmp_path: Path) -> None:
    launch = toy(free_port(), "--workers", "--pids", str(tmp_path / "pids"))
    with launched(launch, env=os.environ, log=tmp_path / "log", scrub=str) as server:
        pids = pids_in(tmp_path / "pids")
        assert len({os.getpgid(pid) for pid in pids}) == 2
        server.stop(0.3)
        wait_until_gone(pids, within_s=0.1)


def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    launch = toy(free_port(), "--stubborn", "--pids", str(tmp_path / "pids"))
    with launched(launch, env=os.environ, log=tmp_path / "log", scrub=str) as server:
        pids = pids_in(tmp_path / "pids")
        server.stop(0.3)
        wait_until_gone(pids, within_s=0.1)


def test_a_killed_guardian_leaves_nothing(tmp_path: Path) -> None:
    launch = toy(free_port(), "--workers", "--pids", str(tmp_path / "pids"))
    with launched(launch, env=os.environ, log=tmp_path / "log", scrub=str) as server:
        first, second, apart = pids_in(tmp_path / "pids")
        guardian = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(guardian, signal.SIGKILL)
        wait_until_gone([first])
        assert "SIGKILL" in str(server.death(5.0))
    wait_until_gone([second])
    os.kill(apart, signal.SIGKILL)  # who left the group has lost the last one who knew of it


# ---------------------------------------------------------------- it is not started


def test_a_port_that_somebody_answers_at_is_refused(tmp_path: Path) -> None:
    with serving(healthy()) as other:
        launch = replace(toy(0, "--pids", str(tmp_path / "pids")), url=other.url)
        with pytest.raises(TargetError, match="listens there already") as caught, opened(launch, tmp_path / "log"):
            pytest.fail("it must not start")
        assert other.seen == []
    assert caught.value.kind == "PortTaken"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("no-such-server", "there is, in PATH and beside llmload, no program no-such-server", id="nowhere"),
        pytest.param("./no-such-server", "there is no file ./no-such-server", id="no file"),
        pytest.param("./readme", "./readme is not a program that we may run", id="not executable"),
        pytest.param("./broken", "./broken cannot be run (Exec format error)", id="no program"),
        pytest.param("./lost", "./lost cannot be run (No such file or directory)", id="without its interpreter"),
    ],
)
def test_a_command_that_cannot_be_run_is_an_error_of_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text, mode in (
        ("readme", "hello", 0o644),
        ("broken", "\x7fELF", 0o755),
        ("lost", "#!/no/such/interpreter\n", 0o755),
    ):
        Path(name).write_text(text)
        Path(name).chmod(mode)
    launch = Launch(f"http://127.0.0.1:{free_port()}", (command,), {}, 30.0)
    with pytest.raises(UsageError) as caught, opened(launch, tmp_path / "log"):
        pytest.fail("it must not start")
    assert (caught.value.where, caught.value.problem) == ("spec.target.launch.command", words)


# ---------------------------------------------------------------- what it prints


def captured(log: ServerLog, command: Sequence[str]) -> ServerLog:
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        log.copy(process.stdout)
        log.wait(60)
    return log


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.parametrize("line", ["y", "tr '\\n' ' '"], ids=["short lines", "no line ever"])
def test_a_hundred_megabytes_of_log_do_not_fill_the_memory(line: str) -> None:
    pipeline = "yes" if line == "y" else f"yes | {line}"
    before = resident_mib()
    log = captured(ServerLog(Path("/dev/null"), lambda text: text.replace("secret", "***")),
                   ["sh", "-c", f"({pipeline} | head -c 100000000; echo; echo the end) 2>/dev/null"])  # fmt: skip
    assert len(log.tail) == TAIL_CHARACTERS
    assert log.last_words().endswith("the end")
    assert resident_mib() - before < 30


def test_a_secret_is_scrubbed_wherever_reads_cut_it(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "for part in (b'a hf_sec', b'ret b\\n', b'\\xed\\x95', b'\\x9c\\n', b'x' * 70000 + b'hf_', b'secret!'):\n"
        "    os.write(1, part); time.sleep(0.05)\n"
    )
    log = ServerLog(tmp_path / "log", lambda text: text.replace("hf_secret", "***"))
    captured(log, [sys.executable, "-c", program])
    assert (tmp_path / "log").read_text() == f"a *** b\n한\n{'x' * 70000}***!"


def test_the_last_words_are_few_and_harmless(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "log", str)
    coloured = r"\033]0;title\007\033[1mValueError: bad\033[0m\r\nbye\n"
    captured(log, ["printf", rf"first\n\n%s\n{coloured}", "x" * 500])
    assert log.last_words() == "ValueError: bad | bye"


# ---------------------------------------------------------------- the whole command


def scenario_with(directory: Path, port: int, *arguments: str, env: str = "{}", **changes: object) -> Path:
    command = json.dumps([sys.executable, "-m", "tests.target.toy_server", str(port), *arguments])
    return write_scenario(
        directory,
        target__simulator=None,
        target__url=f"http://127.0.0.1:{port}",
        target__launch=f"{{command: {command}, env: {env}}}",
        **changes,
    )


HERE = {"PYTHONPATH": str(ROOT)}


@pytest.mark.measuring
def test_the_example_starts_measures_and_stops_its_server(tmp_path: Path) -> None:
    port = free_port()
    done = measured_apart("apply", str(ROOT / "scenarios/launch.yaml"), cwd=tmp_path, env={"PORT": str(port)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "waiting for the server: 0 s of 30s" in done.stderr
    assert "simulating" in (tmp_path / "reports/launch/server.log").read_text()
    assert "simulating" not in done.stdout + done.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_dry_run_starts_it_too_and_sends_no_load(tmp_path: Path) -> None:
    path = scenario_with(tmp_path, free_port(), "--pids", str(tmp_path / "pids"))
    done = llmload("apply", path.name, "--dry-run", "server", "--out", "elsewhere", cwd=tmp_path, env=HERE)
    assert done.returncode == 0, done.stderr
    assert "model    tiny" in done.stdout
    assert (tmp_path / "elsewhere/chat/server.log").exists()
    wait_until_gone(pids_in(tmp_path / "pids"), within_s=0.1)


@pytest.mark.measuring
def test_one_that_dies_under_load_was_not_slow_and_the_run_can_go_on(tmp_path: Path) -> None:
    once = str(tmp_path / "died")
    path = scenario_with(tmp_path, free_port(), "--die-after", "150", "--once", once, load__concurrency="[2, 4]")
    died = llmload("apply", path.name, cwd=tmp_path, env=HERE)
    assert died.returncode == 5, died.stdout
    told = json.loads((tmp_path / "reports/chat/result.json").read_text())
    assert told["caveats"][0]["kind"] == "ServerDied"
    figure = told["caveats"][0]["figure"]
    assert "ended while it was measured with exit code 7" in figure
    assert "CUDA error: out of memory" in figure
    assert [len(step["looks"]) for step in told["steps"]] == [1, 0]
    shown = llmload("show", "latest", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["caveats"] == told["caveats"]

    llmload("apply", path.name, "--resume", "latest", cwd=tmp_path, env=HERE)
    whole = json.loads((tmp_path / "reports/chat/result.json").read_text())
    assert (whole["run_id"], whole["caveats"]) == (told["run_id"], [])
    assert [len(step["looks"]) > 0 for step in whole["steps"]] == [True, True]


def stopped(tmp_path: Path, number: signal.Signals) -> tuple[int, float]:
    """The exit code of an `apply` that is sent a signal while its server loads, and how long it took to end."""
    path = scenario_with(tmp_path, free_port(), "--unready", "--workers", "--pids", str(tmp_path / "pids"))
    with ExitStack() as stack:
        process = stack.enter_context(start("apply", path.name, cwd=tmp_path, env=HERE))
        try:
            pids = pids_in(tmp_path / "pids")
            time.sleep(0.5)
            process.send_signal(number)
            sent = time.monotonic()
            process.communicate(timeout=30)
            took_s = time.monotonic() - sent
        finally:
            process.kill()
    wait_until_gone(pids)
    return process.returncode, took_s


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_while_its_server_loads_it_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    exit_code, took_s = stopped(tmp_path, number)
    assert exit_code == code
    assert took_s < GRACE_S  # its workers ignore SIGTERM: it was hurried


def test_killed_it_leaves_nothing_either(tmp_path: Path) -> None:
    assert stopped(tmp_path, signal.SIGKILL)[0] == -signal.SIGKILL


@pytest.mark.measuring
def test_what_it_is_given_in_secret_is_written_nowhere(tmp_path: Path) -> None:
    token, key = "hf_8d7c6b5a4f3e", "sk-launch-0123456789"
    path = scenario_with(
        tmp_path,
        free_port(),
        *("--say", "the token is $HF_TOKEN", "--api-key", "${KEY}"),
        env="{HF_TOKEN: '${TOKEN}', HF_HUB_OFFLINE: '1'}",
    )
    done = measured_apart(
        "apply", path.name, "--log-level", "debug", cwd=tmp_path, env={**HERE, "TOKEN": token, "KEY": key}
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "reports/chat/server.log").read_text().startswith("the token is *** ***")
    for secret in (token, key):
        assert secret not in done.stdout + done.stderr
        assert not [each for each in tmp_path.rglob("*") if each.is_file() and secret.encode() in each.read_bytes()]
    shown = llmload("plan", path.name, "--json", cwd=tmp_path, env={"TOKEN": token, "KEY": key})
    launch = json.loads(shown.stdout)["document"]["spec"]["target"]["launch"]
    assert launch["env"] == {"HF_TOKEN": "***", "HF_HUB_OFFLINE": "1"}
    assert launch["command"][-2:] == ["--api-key", "***"]
