"""The worker process: light, obedient, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmload.domain import Ending
from llmload.errors import LlmloadError, UsageError
from llmload.load.pool import Pool
from llmload.progress import Progress
from tests.command import UNCOVERED
from tests.load.windows import endpoint, window
from tests.scripted_server import ScriptedServer, stream

HEAVY = {"pydantic", "rich", "httpx", "numpy", "scipy", "typer", "yaml", "sqlite3", "structlog", "tiktoken", "jinja2"}


def test_a_worker_carries_nothing_heavy() -> None:
    code = "import sys, llmload.load.process; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], env=UNCOVERED, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_a_worker_that_is_killed_is_an_error_that_says_so() -> None:
    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, Pool() as pool:
        threading.Timer(0.5, os.kill, (pool.pids[0], signal.SIGKILL)).start()
        with pytest.raises(LlmloadError, match="the worker process died \\(signal 9\\)"):
            pool.observe(window(endpoint(server.url)), on_progress=lambda progress: None, stop=threading.Event())


def test_a_worker_ignores_ctrl_c_since_the_runner_decides() -> None:
    with ScriptedServer(lambda request: stream(2, 0.3, 0)) as server, Pool() as pool:

        def interrupt(progress: Progress) -> None:
            if server.requests:
                os.kill(pool.pids[0], signal.SIGINT)

        asked = window(endpoint(server.url), requests=3, warmup=0)
        assert pool.observe(asked, on_progress=interrupt, stop=threading.Event()).ending is Ending.COMPLETE


def test_a_pool_leaves_no_process_even_when_the_window_is_abandoned() -> None:
    def give_up(progress: object) -> None:
        raise KeyboardInterrupt

    pids: list[int] = []

    def abandon(url: str) -> None:
        with Pool() as pool:
            pids.append(pool.pids[0])
            pool.observe(window(endpoint(url)), on_progress=give_up, stop=threading.Event())

    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, pytest.raises(KeyboardInterrupt):
        abandon(server.url)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "runner.py"
    program.write_text(
        "import sys, threading\n"
        "from llmload.load.pool import Pool\n"
        "from tests.load.windows import endpoint, window\n"
        "with Pool() as pool:\n"
        "    print(pool.pids[0], flush=True)\n"
        "    asked = window(endpoint(sys.argv[1]), requests=1000)\n"
        "    pool.observe(asked, on_progress=lambda p: None, stop=threading.Event())\n"
    )
    root = Path(__file__).parents[2]
    with ScriptedServer(lambda request: stream(2, 0.2, 0)) as server:
        parent = subprocess.Popen(
            [sys.executable, str(program), server.url],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
            cwd=root,
        )
        assert parent.stdout is not None
        with parent.stdout:
            worker = int(parent.stdout.readline())
            while not server.requests:
                time.sleep(0.01)
            parent.kill()
            parent.wait()
        assert _is_gone_within(worker, 5)


def test_a_window_whose_asker_died_before_it_began_is_not_observed(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from llmload.load.child import Child\n"
        "from tests.load.windows import endpoint, window\n"
        "worker = Child()\n"
        "worker.send(window(endpoint(sys.argv[1]), requests=1000))\n"
        "print(worker.pid, flush=True)\n"
        "os._exit(0)\n"  # long before the worker has started
    )
    root = Path(__file__).parents[2]
    with ScriptedServer(lambda request: stream(2, 0.2, 0)) as server:
        told = subprocess.run(
            [sys.executable, "-c", program, server.url],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)},
            cwd=root,
            check=True,
            timeout=20,
        )
        assert _is_gone_within(int(told.stdout), 5)
        assert not server.requests


def _is_gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # nobody reaps orphans in some containers
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"url": "ftp://h"}, "target.url", id="no http URL"),
        pytest.param({"framework": "triton", "api": "chat"}, "no API 'chat' that we speak", id="no dialect"),
        pytest.param({"url": "https://h", "tls_ca_file": "no-such.pem"}, "no-such.pem cannot be used", id="no CA file"),
    ],
)
def test_an_endpoint_that_cannot_be_sent_to_is_told_before_anything_is_sent(
    changes: dict[str, object], message: str
) -> None:
    with Pool() as pool, pytest.raises(UsageError, match=message):
        pool.observe(
            window(endpoint(**{"url": "http://h", **changes})),
            on_progress=lambda progress: None,
            stop=threading.Event(),
        )
