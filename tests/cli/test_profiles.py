"""`llmload profiles`: what the runs of a store were measured to carry."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.reporters.profiles import render_text
from llmload.store.database import open_store
from tests.cli.recommending_runs import asking, late, searched
from tests.cli.stored_runs import put_run, run_id_of
from tests.command import here
from tests.recorded_foreign import HOSTILE, LONG_ERROR
from tests.recorded_runs import CLEAN

FIRST, SECOND = run_id_of(1), run_id_of(2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two models, the newer of which carries nothing."""
    folder = tmp_path_factory.mktemp("profiles")
    with open_store(folder / "llmload.db") as store:
        put_run(store, 1, asking(), searched())
        put_run(store, 2, asking("slow"), [late(seen) for seen in searched()], model="slow-70b")
    return folder


def test_each_is_told_with_what_it_carried_within_which_slo(stored: Path) -> None:
    done = here("profiles", "--model", "QWEN3", cwd=stored)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "× unknown GPU: qwen3-14b on vllm" in told
    assert "carries 3 requests in flight within TTFT 500ms for 95% of requests; 4 breaks it" in told
    assert "goodput 100% (" in told
    assert "workload 512 tokens in, 4 out" in told
    assert f"run {FIRST} of 2026-11-21, scenario chat" in told


def test_what_carries_nothing_says_so(stored: Path) -> None:
    told = here("profiles", "--model", "slow", cwd=stored).stdout
    assert "no load that was measured surely holds TTFT 500ms" in told
    assert "there " not in told


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        pytest.param([], [SECOND, FIRST], id="all, newest first"),
        pytest.param(["--limit", "1"], [SECOND], id="the newest"),
        pytest.param(["--model", "14b"], [FIRST], id="of one model"),
        pytest.param(["--framework", "vllm"], [SECOND, FIRST], id="of one framework"),
        pytest.param(["--framework", "sglang"], [], id="of another"),
        pytest.param(["--gpu", "h100"], [], id="on a GPU that none has"),
    ],
)
def test_json_is_an_array_of_what_is_sought(stored: Path, flags: list[str], ids: list[str]) -> None:
    found = json.loads(here("profiles", "--json", *flags, cwd=stored).stdout)
    assert [each["run_id"] for each in found] == ids


def test_nothing_found_is_said_and_no_failure(stored: Path) -> None:
    done = here("profiles", "--model", "none", cwd=stored)
    assert (done.returncode, done.stdout.startswith("No such profiles in llmload.db.")) == (0, True)


def test_foreign_words_stay_on_their_line() -> None:
    own = CLEAN.profile
    assert own is not None
    odd = replace(own, model=HOSTILE, gpu_model=HOSTILE, traffic=f"{{{LONG_ERROR}", settings={HOSTILE: LONG_ERROR})
    lines = render_text([odd]).decode().splitlines()
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        pytest.param('{"tokens": 256}', "256 tokens in", id="fixed"),
        pytest.param('{"low": 64, "high": 512}', "64 to 512 tokens in", id="uniform"),
        pytest.param('{"mean": 256.0, "stdev": 64.0}', "about 256 (± 64) tokens in", id="normal"),
    ],
)
def test_lengths_are_told_in_words(lengths: str, words: str) -> None:
    own = CLEAN.profile
    assert own is not None
    traffic = f'{{"input_tokens": {lengths}, "output_tokens": {{"tokens": 8}}, "stream": true, "unique": false}}'
    told = render_text([replace(own, traffic=traffic)]).decode()
    assert f"{words}, 8 out, prompts that begin alike" in told
