"""`llmload tokens`: vocabularies come within a bound, whole or not at all; how well each way of counting counts."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import ClassVar

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from llmload.target.vocabularies import PUBLISHED
from llmload.workload.tokens import VOCABULARIES
from tests.cli.test_malformed_prompts import listening
from tests.command import here, llmload, measured, write_scenario
from tests.vocabularies import vocabulary_file

__all__ = ["vocabulary_file"]

CL100K = VOCABULARIES["cl100k_base"]


@pytest.fixture
def nothing_cached(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without any vocabulary."""
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    (tmp_path / "tmp").mkdir()
    none = dict.fromkeys(("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR", *names), "")
    return {**none, "XDG_CACHE_HOME": str(tmp_path / "user"), "TMPDIR": str(tmp_path / "tmp"), "no_proxy": "*"}


class Mirror(BaseHTTPRequestHandler):
    """A web server with what the test puts into `files`; a path that begins with /slow drips."""

    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        folder, _, name = self.path.removeprefix("/").partition("/")
        content = self.files.get(name)
        self.send_response(200 if content is not None else 404)
        self.send_header("content-length", str(len(content or b"")))
        if folder == "packed":
            self.send_header("content-encoding", "gzip, gzip")
        self.end_headers()
        if folder == "slow":
            for _ in range(200):
                self.wfile.write(b"x")
                if self.server.done.wait(0.05):  # type: ignore[attr-defined]  # set where it is made
                    return
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture
def mirror(vocabulary_file: Path) -> Iterator[str]:
    Mirror.files = {"cl100k_base.tiktoken": vocabulary_file.read_bytes(), "o200k_base.tiktoken": b"another file"}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads = True
    server.done = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.done.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_a_vocabulary_is_fetched_once_and_then_counts(
    mirror: str, nothing_cached: dict[str, str], tmp_path: Path
) -> None:
    asked = ("tokens", "fetch", "cl100k_base", "--from", f"{mirror}/encodings/")
    done = llmload(*asked, cwd=tmp_path, env=nothing_cached)
    file = tmp_path / "user" / "llmload" / "tiktoken" / CL100K.file
    assert (done.returncode, done.stdout) == (0, f"cl100k_base is here now: {file}\n"), done.stderr
    assert [each.name for each in file.parent.iterdir()] == [CL100K.file]
    again = llmload(*asked[:3], "--from", "http://127.0.0.1:9", cwd=tmp_path, env=nothing_cached)
    assert (again.returncode, again.stdout) == (0, f"cl100k_base is here already: {file}\n")
    listed = json.loads(llmload("tokens", "list", "--json", cwd=tmp_path, env=nothing_cached).stdout)
    assert {"encoding": "cl100k_base", "folder": str(file.parent)} in listed
    assert {"encoding": "p50k_base", "folder": None} in listed


def test_a_folder_of_ones_own_is_filled_and_tiktoken_is_to_be_told(
    mirror: str, nothing_cached: dict[str, str], tmp_path: Path
) -> None:
    asked = ("tokens", "fetch", "cl100k_base", "--from", f"{mirror}/e", "--cache", str(tmp_path / "mine"))
    done = llmload(*asked, cwd=tmp_path, env=nothing_cached)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / CL100K.file).is_file()
    assert f"export TIKTOKEN_CACHE_DIR={tmp_path / 'mine'}" in done.stderr


@pytest.mark.parametrize(
    ("encoding", "folder", "told"),
    [
        pytest.param("o200k_base", "e", "is not the vocabulary that tiktoken expects (12 bytes", id="another file"),
        pytest.param("p50k_base", "e", "cannot be fetched: the server answers 404", id="not there"),
        pytest.param("o200k_base", "packed", "tiktoken expects (12 bytes", id="what is packed is not unpacked"),
        pytest.param("cl100k_base", "slow", "did not come within 500ms", id="a server that drips"),
    ],
)
def test_what_cannot_be_had_is_told_in_time_and_leaves_nothing(
    encoding: str, folder: str, told: str, mirror: str, nothing_cached: dict[str, str], tmp_path: Path
) -> None:
    before = monotonic()
    asked = ("tokens", "fetch", encoding, "--from", f"{mirror}/{folder}", "--timeout", "500ms")
    done = here(*asked, cwd=tmp_path, env=nothing_cached)
    assert monotonic() - before < 5
    assert done.returncode == 5
    assert told in done.stderr
    assert not (tmp_path / "user").exists()


def test_without_a_network_it_ends_in_time(nothing_cached: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = monotonic()
        done = here("tokens", "fetch", "--from", address, "--timeout", "300ms", cwd=tmp_path, env=nothing_cached)
        assert monotonic() - before < 5
    assert (done.returncode, "cl100k_base.tiktoken: did not come within 300ms" in done.stderr) == (5, True), done.stderr
    done = here("tokens", "fetch", "--from", address, "--timeout", "5s", cwd=tmp_path, env=nothing_cached)
    assert done.returncode == 5
    assert "cannot be fetched: " in done.stderr


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(("cl100k",), "cl100k: is no encoding that llmload counts with", id="no encoding"),
        pytest.param(("--timeout", "soon"), "--timeout: 'soon' is not a duration", id="no time"),
        pytest.param(("--timeout", "0s"), "--timeout: 0s is no time to wait", id="no patience"),
        pytest.param(("--from", "ftp://a"), "is not an address of the web", id="no web"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    asked: tuple[str, ...], told: str, nothing_cached: dict[str, str], tmp_path: Path
) -> None:
    done = here("tokens", "fetch", *asked, cwd=tmp_path, env=nothing_cached)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_the_addresses_are_those_of_the_installed_tiktoken() -> None:
    openai_public = import_module("tiktoken_ext.openai_public")
    for name, vocabulary in VOCABULARIES.items():
        known = getattr(openai_public, "o200k_base" if name == "o200k_harmony" else name).__code__.co_consts
        assert PUBLISHED + vocabulary.published in known


BAD_TOKENIZERS: dict[str, tuple[str | None, str]] = {
    "missing": (None, "cannot be read: no such file"),
    "a folder": ("/", "is a folder"),
    "empty": ("", "is empty"),
    "no JSON": ("{", "not a tokenizer (EOF while parsing"),
    "JSON, and no tokenizer": ("{}", "not a tokenizer ("),
}


@pytest.mark.parametrize(("content", "told"), BAD_TOKENIZERS.values(), ids=BAD_TOKENIZERS)
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_tokenizer_that_cannot_be_used_is_told_before_anything_is_sent(
    verb: str, content: str | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "tokenizer.json"
    if content == "/":
        file.mkdir()
    elif content is not None:
        file.write_text(content)
    with listening() as server:
        target = {"url": f"http://127.0.0.1:{server.getsockname()[1]}"}
        scenario = write_scenario(tmp_path, target=target, workload__tokenizer={"file": "tokenizer.json"})
        done = here(verb, str(scenario), *(["--store", "s.db"] if verb == "apply" else []), cwd=tmp_path)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert done.returncode == 2, done.stdout
    assert f"tokenizer.json: {told}" in done.stderr
    assert not (tmp_path / "s.db").exists()


@pytest.mark.measuring
def test_each_way_of_counting_is_held_against_the_server(
    vocabulary_file: Path, nothing_cached: dict[str, str], tmp_path: Path
) -> None:
    cache = tmp_path / "user" / "llmload" / "tiktoken"
    cache.mkdir(parents=True)
    shutil.copy(vocabulary_file, cache)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    scenario = write_scenario(
        tmp_path,
        target={"simulator": {"profile": "h100", "decode_base": "1ms"}},
        workload__tokenizer={"file": "tokenizer.json"},
        workload__prompts={"synthetic": {"input_tokens": 50, "output_tokens": 30}},
        load={"concurrency": [8], "requests": 80},
        gates=["error_rate <= 50%"],
    )
    done = measured("apply", str(scenario), "--store", "r.db", "--no-progress", cwd=tmp_path, env=nothing_cached)
    assert done.returncode == 0, done.stderr
    asked = ("tokens", "accuracy", "latest", "--store", "r.db")
    told = json.loads(here(*asked, "--json", cwd=tmp_path, env=nothing_cached).stdout)
    assert [each["source"] for each in told] == ["tokenizer", "tiktoken", "estimate"]
    assert {each["answers"] for each in told} == {20}
    own, _, estimate = told
    assert (own["mean_error"], own["worst_error"], own["bias"]) == (0, 0, 0), "the simulator counts words"
    assert estimate["mean_error"] > 0.05
    text = here(*asked, cwd=tmp_path, env=nothing_cached).stdout
    assert "against the server's own count, over 20 answers:\n  tokenizer  tokenizer.json: 0.0% off on average" in text
    (tmp_path / "tokenizer.json").unlink()
    done = llmload(*asked, cwd=tmp_path, env=nothing_cached)
    assert done.returncode == 0
    assert "not told: " in done.stderr
    assert "tokenizer.json" not in done.stdout
