"""The child process: it starts quickly, keeps secrets, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmload.errors import TargetError, UsageError
from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.command import UNCOVERED
from tests.simulator.asking import chat, look, stream

PARENT = """
import sys, time
from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
child = start(Simulator(), api_key=None)
print(child.pid, child.url, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_stop_leaves_nothing_behind_and_may_be_said_twice():
    process = start(Simulator(), api_key=None)
    stream(process.url, chat(max_tokens=2))
    process.stop()
    assert not is_alive(process.pid)
    process.stop()
    with pytest.raises(TargetError):
        process.truth()


def test_stop_does_not_wait_for_answers_under_way():
    import socket

    with start(Simulator(decode_base_ms=1000), api_key=None) as process:
        host, port = process.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b'POST /v1/completions HTTP/1.1\r\ncontent-length: 14\r\n\r\n{"prompt":"a"}')
            time.sleep(0.1)
            began = time.monotonic()
            process.stop()
            assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked to end", "killed"])
def test_the_child_ends_with_its_parent(how):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline().split()[0])
        assert is_alive(pid)
        parent.send_signal(how)
        parent.wait()
    assert wait_for_end(pid)


def test_ctrl_c_is_for_the_parent_to_act_on():
    with start(Simulator(), api_key=None) as process:
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.1)
        assert stream(process.url, chat()).events[-1] == b"[DONE]"


def test_the_key_is_nowhere_to_be_seen():
    with start(Simulator(), api_key="s3cret-key") as process:
        assert b"s3cret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert "LLMLOAD_SIMULATOR_API_KEY" not in os.environ
        assert "s3cret" not in repr(process)


def test_impossible_settings_never_become_a_process():
    with pytest.raises(UsageError, match="unknown 'tpu'"):
        start(Simulator(profile="tpu"), api_key=None)


def test_the_child_imports_nothing_heavy():
    code = (
        "import sys, llmload.simulator.__main__\n"
        "heavy = {'pydantic', 'rich', 'httpx', 'scipy', 'numpy', 'typer', 'yaml', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=UNCOVERED, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_verb_serves_until_it_is_stopped_and_that_is_a_success(how):
    code = "import typer; from llmload.cli.simulate import simulate; typer.run(simulate)"
    options = ["--port", "0", "--model", "m", "--profile", "l4", "--set", "max_num_seqs=3"]
    with subprocess.Popen([sys.executable, "-c", code, *options], stdout=subprocess.PIPE, text=True) as verb:
        first, second, third = (verb.stdout.readline() for _ in range(3))
        url = first.split(" at ")[1].split()[0]
        assert look(url, "/v1/models").json()["data"][0]["id"] == "m"
        assert "only resembles" in second
        assert f"{url}/truth" in third
        verb.send_signal(how)
        assert verb.wait(5) == 0


def test_a_port_that_is_taken_is_told():
    from llmload.simulator.listening import listen

    with start(Simulator(), api_key=None) as process:
        port = int(process.url.rsplit(":", 1)[1])
        with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1"):
            listen(Simulator(), host="127.0.0.1", port=port, api_key=None, stop_signals=(), on_url=lambda url: None)
