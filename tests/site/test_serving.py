"""`llmload serve`: what it refuses before it listens, and how it begins and ends."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from llmload.store.database import open_store
from tests.command import here, start
from tests.recorded_runs import CLEAN
from tests.site.stores import RUNNING

ROOT = Path(__file__).parents[2]

REFUSED = {
    "no store": (["--store", "none.db"], 2, "there is no store here"),
    "no SQLite file": (["--store", "text.db"], 5, "this is not an SQLite file"),
    "another program's database": (["--store", "plants.db"], 5, "belongs to another program"),
    "a newer store": (["--store", "newer.db"], 5, "written by a newer llmload"),
    "a variable without a key": (["--api-key-env", "NO_SUCH_KEY"], 2, "'NO_SUCH_KEY' is unset or empty"),
    "an origin that is none": (["--cors", "evil"], 2, "is no origin"),
    "a rate below nothing": (["--rate-limit", "-1"], 2, "is no rate"),
    "a language of nobody": (["--lang", "fr"], 2, "is no language of pages"),
    "a path that is none": (["--base-url", "/a b/"], 2, "is no path"),
    "a path that a browser would shorten": (["--base-url", "/../bench"], 2, "is no path"),
    "a proxy that is none": (["--trust-proxy", "me"], 2, "is no address"),
    "an address of another machine": (["--host", "192.0.2.1"], 2, "this machine has no such address"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_store(tmp_path / "llmload.db"):
        pass
    shutil.copy(tmp_path / "llmload.db", tmp_path / "newer.db")
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        row = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmload', '999 future', '')"
        connection.execute(row)
        connection.commit()
    (tmp_path / "text.db").write_text("no database" * 500)
    with closing(sqlite3.connect(tmp_path / "plants.db")) as connection:
        connection.execute("CREATE TABLE plants (name)")
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "because"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_served_for(arguments: list[str], code: int, because: str, folder: Path) -> None:
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        done = here("serve", "--port", "0", *arguments, cwd=folder)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    assert (done.returncode, done.stdout) == (code, "")
    assert because in done.stderr


def test_a_port_that_is_taken_is_told_so(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = here("serve", "--port", port, cwd=folder)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: another program listens there" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_says_where_it_is_and_ends_at_once_while_somebody_listens(number: int, filled: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(filled, tmp_path / "llmload.db"))
    options = ["--port", "0", "--store", str(store), "--api-key-env", "K"]
    with start("serve", *options, cwd=tmp_path, env={"K": "k3y", "PYTHONPATH": str(ROOT)}) as serving:
        try:
            _read_and_stop(serving, number)
        finally:
            serving.kill()
        assert serving.stderr is not None
        assert "k3y" not in serving.stderr.read()


def _read_and_stop(serving: subprocess.Popen[str], number: int) -> None:
    assert serving.stdout is not None
    found = re.match(r"Serving at (http://127\.0\.0\.1:\d+/) ", serving.stdout.readline())
    assert found is not None
    with httpx.Client(base_url=found[1], headers={"X-API-Key": "k3y"}, trust_env=False, timeout=30) as client:
        page = client.get(f"benchmark/{CLEAN.header.run_id}")
        assert (page.status_code, client.get("", headers={"X-API-Key": "no"}).status_code) == (200, 401)
        assert "server" not in page.headers
        with client.stream("GET", f"benchmark/{RUNNING}/events") as stream:
            assert next(stream.iter_raw()) != b""
            serving.send_signal(number)
            assert serving.wait(timeout=10) == 0
