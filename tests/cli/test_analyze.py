"""`llmload analyze` over stored runs, with a scripted server that writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from llmload.scenario.loader import load_text
from llmload.store.analyses import analyses_of, keep_analysis
from llmload.store.database import open_existing, open_store
from llmload.written_analysis import Close, WrittenAnalysis
from tests.cli.stored_runs import DOWN, document_of, header_of, put_run, run_id_of, scenario_of, whole
from tests.command import here, start
from tests.recorded_runs import FROM_LOADTEST
from tests.scripted_server import DONE, Piece, Request, Script, ScriptedServer, chunk, delta, head
from tests.scripted_server import whole as answered

RUN = run_id_of(7)
ENGLISH = "AI analysis currently supports the vLLM framework only."
KOREAN = "AI 분석 도구는 현재 vLLM 프레임워크만 지원이 가능합니다."
ANSWER = ["The p95 of ", "TTFT is 777 ms, <script>alert(1)</script>\n::error::", " 300 requests\x1b[2J\n"]


def saying(*texts: str, end: bytes | None = None, then: Literal["keep", "close", "reset", "stall"] = "keep") -> Script:
    end = chunk(delta("", "stop")) + chunk(DONE) + chunk(b"") if end is None else end
    pieces = [Piece(0, head()), *(Piece(0, chunk(delta(text))) for text in texts), Piece(0, end)]
    return Script(pieces, then)


@contextmanager
def analyst(
    chat: Script | Callable[[], Script] | None = None, models: tuple[str, ...] = ("writer",)
) -> Iterator[ScriptedServer]:
    """A server that lists `models` and answers every chat with `chat`."""

    def script(request: Request) -> Script:
        if b"/v1/models" in request.head.partition(b"\r\n")[0]:
            return answered("200 OK", {"data": [{"id": model} for model in models]})
        return chat() if callable(chat) else chat or saying(*ANSWER)

    with ScriptedServer(script) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_store(tmp_path / "llmload.db") as store:
        put_run(store, 7, scenario_of(), whole())
    return tmp_path


def written(folder: Path, run: str = RUN) -> tuple[WrittenAnalysis, ...]:
    with open_existing(folder / "llmload.db") as store:
        return analyses_of(store, run)


def analyze(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return here("analyze", "latest", *options, cwd=folder, env=env)


def test_an_answer_is_shown_flagged_and_stored(folder: Path) -> None:
    with analyst() as server:
        told = analyze(folder, "--analyst-url", server.url)
    assert told.returncode == 0, told.stderr
    (kept,) = written(folder)
    assert kept.text == "The p95 of TTFT is 777 ms, <script>alert(1)</script>\n::error:: 300 requests[2J"
    assert (kept.model, kept.server, kept.language, kept.close) == ("writer", server.url, "en", Close.WHOLE)
    assert "777 ms" in kept.unknown_figures
    assert "300" not in kept.unknown_figures
    quoted, facts = told.stdout.split("\n\n", 1)
    assert all(line.startswith("> ") for line in quoted.splitlines())
    assert quoted.startswith("> The p95 of TTFT")
    assert f"Written by writer at {server.url} on 2" in facts
    assert "Not in the result: 777 ms" in facts
    assert f"llmload show {RUN}" in facts
    assert "\x1b" not in told.stdout


def test_what_is_sent_is_the_result_and_nothing_of_the_scenario(folder: Path) -> None:
    with analyst() as server:
        analyze(folder, "--analyst-url", server.url, "--lang", "ko")
    (asked,) = (request for request in server.requests if request.head.startswith(b"POST"))
    prompt = str(asked.document["messages"])
    assert "한국어" in prompt
    assert "concurrency 2" in prompt
    assert "127.0.0.1:8000" not in prompt
    assert written(folder)[0].language == "ko"


def test_as_json_it_is_the_document_alone(folder: Path) -> None:
    with analyst() as server:
        told = analyze(folder, "--json", "--analyst-url", server.url)
    document = json.loads(told.stdout)
    assert (document["run_id"], document["model"], document["close"]) == (RUN, "writer", "whole")
    assert document["text"] == written(folder)[0].text


def test_the_server_of_the_run_writes_with_its_own_model_and_key(tmp_path: Path) -> None:
    with analyst(models=("qwen3-14b", "other")) as server:
        more = f"  target: {{url: '{server.url}', framework: vllm, api_key: {{env: LLM_KEY}}}}\n"
        text = document_of().replace(document_of().splitlines()[5] + "\n", more)
        put(tmp_path, text)
        told = analyze(tmp_path, env={"LLM_KEY": "sesame-open"})
        assert told.returncode == 0, told.stderr
        assert f"the key in $LLM_KEY is sent to {server.url}\n" in told.stderr
        assert "sesame" not in told.stdout + told.stderr
        assert written(tmp_path)[0].model == "qwen3-14b"
        assert all(b"Bearer sesame-open" in request.head for request in server.requests)
        missing = analyze(tmp_path, env={"LLM_KEY": ""})
        assert missing.returncode == 2
        assert "$LLM_KEY" in missing.stderr
        with analyst() as another:
            analyze(tmp_path, "--analyst-url", another.url, env={"LLM_KEY": "sesame-open"})
            assert all(b"sesame" not in request.head + request.body for request in another.requests)


@pytest.mark.parametrize(
    ("url", "key", "named"),
    [
        pytest.param("http://192.0.2.1:8000", "{env: LLM_KEY}", "$LLM_KEY", id="elsewhere"),
        pytest.param("http://127.0.0.1.nip.invalid:8000", "{env: LLM_KEY}", "$LLM_KEY", id="a name that looks near"),
        pytest.param("http://192.0.2.1:8000", "{file: key.txt}", "the file", id="a file"),
    ],
)
def test_a_key_that_only_the_store_names_goes_to_no_other_machine(
    tmp_path: Path, url: str, key: str, named: str
) -> None:
    (tmp_path / "key.txt").write_text("sesame-open")
    more = f"  target: {{url: '{url}', framework: vllm, api_key: {key}}}\n"
    put(tmp_path, document_of().replace(document_of().splitlines()[5] + "\n", more))
    told = analyze(tmp_path, env={"LLM_KEY": "sesame-open"})
    assert told.returncode == 2
    assert f"its server is {url}, not this machine" in told.stderr
    assert named in told.stderr
    assert "--api-key-env NAME" in told.stderr
    assert "sesame" not in told.stdout + told.stderr


def test_a_key_that_the_user_names_goes_to_the_server_of_the_run(tmp_path: Path) -> None:
    """Which is elsewhere by its name, and reached through a proxy of the user."""
    with analyst(models=("qwen3-14b",)) as proxy:
        more = "  target: {url: 'http://gpu.invalid:8000', framework: vllm, api_key: {env: LLM_KEY}}\n"
        put(tmp_path, document_of().replace(document_of().splitlines()[5] + "\n", more))
        env = {"LLM_KEY": "sesame-open", "MINE": "my-own-key", "HTTP_PROXY": proxy.url, "NO_PROXY": ""}
        told = analyze(tmp_path, "--api-key-env", "MINE", env=env)
    assert told.returncode == 0, told.stderr
    assert "the key in $MINE is sent to http://gpu.invalid:8000\n" in told.stderr
    assert all(b"Bearer my-own-key" in request.head for request in proxy.requests)
    assert all(b"sesame" not in request.head + request.body for request in proxy.requests)


def put(folder: Path, text: str) -> None:
    """One whole run of the scenario in `text`."""
    with open_store(folder / "llmload.db") as store:
        put_run(store, 7, load_text(text, "chat.yaml", env={}, directory=folder), whole())


@pytest.mark.parametrize(
    ("target", "says"),
    [
        pytest.param("{simulator: {}, framework: vllm}", "embedded simulator", id="simulator"),
        pytest.param("{url: 'http://me:sesame@127.0.0.1:9', framework: vllm}", "secrets in it", id="a secret address"),
        pytest.param(
            "{url: 'http://127.0.0.1:9', framework: vllm, launch: {command: [vllm, serve]}}",
            "Start it again by hand",
            id="launched",
        ),
    ],
)
def test_a_run_whose_server_cannot_write_asks_for_another(tmp_path: Path, target: str, says: str) -> None:
    line = document_of().splitlines()[5]
    put(tmp_path, document_of().replace(line, f"  target: {target}"))
    told = analyze(tmp_path)
    assert told.returncode == 2
    assert says in told.stderr
    assert "--analyst-url" in told.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param([], ENGLISH, id="in English"),
        pytest.param(["--lang", "ko"], KOREAN, id="in Korean"),
        pytest.param(["--analyst-url", "http://127.0.0.1:9"], ENGLISH, id="whoever would write"),
    ],
)
def test_runs_of_other_frameworks_are_not_analysed(tmp_path: Path, options: list[str], sentence: str) -> None:
    put_down(tmp_path, document_of().replace("framework: vllm", "framework: sglang"))
    told = analyze(tmp_path, *options)
    assert (told.returncode, told.stdout, told.stderr) == (2, "", f"{sentence}\n")


def put_down(folder: Path, text: str) -> None:
    """A run whose server was never reached."""
    with open_store(folder / "llmload.db") as store:
        put_run(store, 7, load_text(text, "chat.yaml", env={}, directory=folder), [], trouble=DOWN)


def test_a_run_without_figures_is_refused(tmp_path: Path) -> None:
    put_down(tmp_path, document_of())
    told = analyze(tmp_path, "--analyst-url", "http://127.0.0.1:9")
    assert told.returncode == 2
    assert "nothing was measured" in told.stderr


def test_a_run_that_goes_on_is_refused(folder: Path) -> None:
    with open_store(folder / "llmload.db") as store:
        store.begin(header_of(8, scenario_of()))
        told = analyze(folder, "--analyst-url", "http://127.0.0.1:9")
    assert told.returncode == 2
    assert "still going on" in told.stderr


def test_an_imported_run_is_explained_by_another_server(tmp_path: Path) -> None:
    with open_store(tmp_path / "llmload.db") as store:
        store.take_in(FROM_LOADTEST)
    assert "it was imported" in analyze(tmp_path).stderr
    with analyst() as server:
        told = analyze(tmp_path, "--analyst-url", server.url)
    assert told.returncode == 0, told.stderr
    assert len(written(tmp_path, FROM_LOADTEST.header.run_id)) == 1


def test_an_answer_that_breaks_off_is_kept_and_told(folder: Path) -> None:
    with analyst(saying("It is slow because", end=b"", then="close")) as server:
        told = analyze(folder, "--analyst-url", server.url)
    assert told.returncode == 5
    assert "broke off" in told.stderr
    assert "What came is stored" in told.stderr
    assert "Broken off: the end is missing" in told.stdout
    (kept,) = written(folder)
    assert (kept.text, kept.close) == ("It is slow because", Close.BROKEN_OFF)


@pytest.mark.parametrize(
    ("chat", "code", "says"),
    [
        pytest.param(answered("401 No", {"error": "key"}), 5, "--api-key-env NAME", id="401"),
        pytest.param(answered("404 No", {"error": "no such model"}), 5, "--analyst-model", id="404"),
        pytest.param(answered("200 OK", b"<html>"), 5, "without a stream", id="a page"),
    ],
)
def test_a_server_that_cannot_write_leaves_the_run_as_it_was(folder: Path, chat: Script, code: int, says: str) -> None:
    with analyst(chat) as server:
        told = analyze(folder, "--analyst-url", server.url)
    assert (told.returncode, told.stdout, written(folder)) == (code, "", ())
    assert says in told.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--analyst-url", "localhost:8000"], "no URL of a server", id="no URL"),
        pytest.param(["--analyst-url", "file:///etc/passwd"], "no URL of a server", id="a file"),
        pytest.param(["--analyst-url", "http://127.0.0.1:9", "--api-key-env", "NONE"], "$NONE", id="no such variable"),
        pytest.param(["--lang", "de"], "'de' is no language", id="language"),
        pytest.param(["--max-tokens", "0"], "--max-tokens", id="no tokens"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, options: list[str], says: str) -> None:
    told = analyze(folder, *options)
    assert told.returncode == 2
    assert says in told.stderr


def test_show_tells_the_newest_one_cleaned(folder: Path) -> None:
    hostile = WrittenAnalysis(
        "m\x1b[2J", "http://h", "2026-11-21T01:50:00Z", "en", "::error::\n\x1b[2Jx", Close.AT_LIMIT, ("7",)
    )
    with open_existing(folder / "llmload.db") as store:
        keep_analysis(store, RUN, replace(hostile, created="2026-11-21T01:45:00Z", text="older"))
        keep_analysis(store, RUN, hostile)
    told = here("show", RUN, cwd=folder).stdout
    assert (
        "\n> ::error::\n> [2Jx\n\nWritten by m at http://h on 2026-11-21 01:50 UTC; it decides nothing\nCut at" in told
    )
    assert told.endswith("Not in the result: 7\n")
    assert "older" not in told
    assert "\x1b" not in told


def test_what_cannot_be_stored_is_not_lost(folder: Path) -> None:
    def lose_the_store() -> Script:
        (folder / "llmload.db").unlink()
        return saying("It is slow")

    with analyst(lose_the_store) as server:
        told = analyze(folder, "--json", "--analyst-url", server.url)
    assert told.returncode == 2
    assert "no store here" in told.stderr
    assert json.loads(told.stdout)["text"] == "It is slow"


def test_ctrl_c_keeps_what_was_written(folder: Path) -> None:
    with (
        analyst(saying("It is slow because", end=b"", then="stall")) as server,
        start("analyze", "latest", "--analyst-url", server.url, cwd=folder) as process,
    ):
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 100).startswith(b"> It is")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "What was written until then is stored" in err
    (kept,) = written(folder)
    assert (kept.text, kept.close) == ("It is slow because", Close.BROKEN_OFF)
