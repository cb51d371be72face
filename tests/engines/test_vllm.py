"""Against a real vLLM on the CPU: `make test-engines`. Its chunks are no tokens, and it caches prompts by default."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from llmload.domain import Outcome, Phase, RequestRecord, TokenSource
from llmload.errors import TargetError
from llmload.scenario.asked import Target
from llmload.store.analyses import analyses_of
from llmload.store.database import open_existing
from llmload.target.probe import probe
from llmload.written_analysis import Close
from tests.command import llmload, measured_apart, start, write_scenario
from tests.delaying_proxy import DelayingProxy
from tests.engines.server_process import free_ports
from tests.engines.tiny_model import ANSWER_TOKENS, TinyModel
from tests.engines.two_sides import TwoSides, another_client, read_sides
from tests.engines.vllm_server import ENVIRONMENT, MAX_MODEL_LEN, READY_WITHIN_S, VERSION, serving_vllm, vllm_command
from tests.target.asking import a_target, a_workload

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

INPUT_TOKENS, OUTPUT_TOKENS = 256, 64


@pytest.fixture(scope="module")
def vllm(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_vllm(tiny_model.folder, tmp_path_factory.mktemp("vllm")) as url:
        yield url


def the_target(url: str, model: str = "tiny") -> Target:
    return replace(a_target(url, model=model), framework="vllm")


def the_scenario(directory: Path, url: str, settings: object = None, **changes: object) -> Path:
    """A hundred requests, four at a time."""
    target = {"url": url, "model": "tiny", "framework": "vllm"}
    asked: dict[str, object] = {
        "target": target if settings is None else {**target, "framework_config": settings},
        "workload__prompts": {"synthetic": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}},
        "slo": {"e2e": "60s"},
        "gates": ["goodput >= 90%", "error_rate <= 5%"],
    }
    return write_scenario(directory, **{**asked, **changes})


def applied(directory: Path, url: str, settings: object = None, **changes: object) -> list[RequestRecord]:
    """Every record of that scenario. Counts are exact also where a busy machine could not time anything (5)."""
    scenario = the_scenario(directory, url, settings, **changes)
    done = llmload("apply", str(scenario), "--store", "runs.db", cwd=directory)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    return every_record(directory)


def every_record(directory: Path) -> list[RequestRecord]:
    with open_existing(directory / "runs.db") as store:
        stored = store.load(store.find("latest"))
    return [record for window in stored.observations for record in window.records]


def the_measured(records: list[RequestRecord]) -> list[RequestRecord]:
    return [record for record in records if record.phase is Phase.MEASURED]


def cached_share(records: list[RequestRecord]) -> float:
    """The share of prompt tokens that the server had cached, by its own word."""
    told = [record for record in the_measured(records) if record.cached_tokens is not None]
    return sum(record.cached_tokens or 0 for record in told) / sum(record.input_tokens or 0 for record in told)


def told(url: str, metric: str) -> int:
    """The sum of a metric over its labels."""
    with httpx.Client(trust_env=False) as client:
        lines = client.get(f"{url}/metrics").raise_for_status().text.splitlines()
    found = [line for line in lines if re.match(rf"{metric}[{{ ]", line)]
    assert found, f"{metric} is not among the metrics"
    return sum(int(float(line.rpartition(" ")[2])) for line in found)


def test_it_tells_its_version_and_its_context(vllm: str) -> None:
    with httpx.Client(base_url=vllm, trust_env=False) as client:
        assert client.get("/version").json()["version"] == VERSION
        assert client.get("/v1/models").json()["data"][0]["max_model_len"] == MAX_MODEL_LEN
    facts = probe(the_target(vllm), vllm, workload=a_workload(), env={}).facts
    assert (facts.model, facts.version, facts.max_model_len) == ("tiny", VERSION, MAX_MODEL_LEN)
    assert facts.fit.source is TokenSource.USAGE


def test_a_model_that_is_not_served_is_told_before_any_load(vllm: str) -> None:
    with pytest.raises(TargetError, match="does not serve the model 'big'; it serves tiny") as caught:
        probe(the_target(vllm, "big"), vllm, workload=a_workload(), env={})
    assert caught.value.kind == "ModelNotServed"


def test_prompts_beyond_the_context_are_told_before_any_load(vllm: str) -> None:
    with pytest.raises(TargetError, match=rf"{MAX_MODEL_LEN:,}|{MAX_MODEL_LEN}"):
        probe(the_target(vllm), vllm, workload=a_workload(MAX_MODEL_LEN, 64), env={})


def test_its_promises_are_kept(vllm: str, tmp_path: Path) -> None:
    done = measured_apart("apply", str(the_scenario(tmp_path, vllm)), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS chat" in done.stdout


def test_every_answer_has_exactly_41_tokens(vllm: str, tmp_path: Path) -> None:
    records = the_measured(applied(tmp_path, vllm))
    assert len(records) >= 100
    assert {record.outcome for record in records} == {Outcome.OK}
    assert {(record.output_tokens, record.token_source) for record in records} == {(ANSWER_TOKENS, TokenSource.USAGE)}
    assert {record.finish_reason for record in records} == {"stop"}


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_with_ignore_eos_answers_are_exactly_as_long_as_asked(api: str, vllm: str, tmp_path: Path) -> None:
    records = the_measured(applied(tmp_path, vllm, target__api=api, workload__sampling={"ignore_eos": True}))
    assert len(records) >= 100
    assert {(record.output_tokens, record.finish_reason) for record in records} == {(OUTPUT_TOKENS, "length")}


def test_with_min_tokens_no_answer_ends_before(vllm: str, tmp_path: Path) -> None:
    records = the_measured(applied(tmp_path, vllm, workload__sampling={"min_tokens": ANSWER_TOKENS + 9}))
    assert {record.outcome for record in records} == {Outcome.OK}
    assert all(ANSWER_TOKENS + 9 <= (record.output_tokens or 0) <= OUTPUT_TOKENS for record in records)


def test_unique_prompts_pass_its_prefix_cache(vllm: str, tmp_path: Path) -> None:
    assert cached_share(applied(tmp_path, vllm)) < 0.05


def test_prompts_that_repeat_are_seen_to_come_from_its_cache(vllm: str, tmp_path: Path) -> None:
    prompts = {"synthetic": {"input_tokens": INPUT_TOKENS, "output_tokens": 8, "unique": False}}
    asked = {"workload__prompts": prompts, "workload__seed": 7}
    applied(tmp_path, vllm, **asked)
    assert cached_share(applied(tmp_path, vllm, **asked)) > 0.5  # the second run repeats the prompts of the first


def test_declared_settings_are_held_against_those_it_tells(vllm: str, tmp_path: Path) -> None:
    applied(tmp_path, vllm, {"max_model_len": 2 * MAX_MODEL_LEN, "enable_prefix_caching": True})
    result = json.loads((tmp_path / "reports" / "chat" / "result.json").read_text())
    assert set(result["target"]["verified"]) >= {"max_model_len", "enable_prefix_caching"}
    found = {finding["subject"]: (finding["expected"], finding["actual"]) for finding in result["findings"]}
    assert found == {"framework_config.max_model_len": (str(2 * MAX_MODEL_LEN), str(MAX_MODEL_LEN))}


def test_its_counter_of_requests_agrees_with_ours(vllm: str, tmp_path: Path) -> None:
    metric = "vllm:request_success_total"
    before = told(vllm, metric)
    probe(the_target(vllm), vllm, workload=a_workload(INPUT_TOKENS, OUTPUT_TOKENS, sampling={}), env={})
    probing = told(vllm, metric) - before
    before = told(vllm, metric)
    records = applied(tmp_path, vllm)
    completed = sum(record.outcome is Outcome.OK for record in records)
    assert completed <= told(vllm, metric) - before - probing <= len(records)  # those we cancel may have ended there


def the_sides(directory: Path, url: str) -> TwoSides:
    """Client and server of one run, with nothing written about telemetry."""
    done = measured_apart("apply", str(the_scenario(directory, url)), "--store", "runs.db", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_sides(directory)


def test_every_figure_agrees_with_its_own(vllm: str, tmp_path: Path) -> None:
    """Three times at most: on a busy machine its front end takes longer than usual, which lies before its own clock."""
    for number in range(3):
        (directory := tmp_path / str(number)).mkdir()
        sides = the_sides(directory, vllm)
        assert sides.figures == {"requests", "input_tokens", "output_tokens", "ttft", "tpot", "e2e"}
        assert sides.disagreeing <= {"ttft", "e2e"}, sides.checks
        if not sides.disagreeing:
            break
    assert (sides.disagreeing, sides.causes) == (set(), {}), sides.checks


def test_another_client_of_it_is_found(vllm: str, tmp_path: Path) -> None:
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "Who else is here?"}]}
    with another_client(f"{vllm}/v1/chat/completions", ask):
        sides = the_sides(tmp_path, vllm)
    assert {"requests", "output_tokens"} <= sides.disagreeing
    assert "other_traffic" in sides.causes


def test_a_gateway_that_holds_requests_back_is_found(vllm: str, tmp_path: Path) -> None:
    with DelayingProxy(vllm, 0.05) as proxy:
        sides = the_sides(tmp_path, proxy.url)
    assert {"ttft", "e2e"} <= sides.disagreeing
    assert set(sides.causes) == {"network"}
    assert 40 <= sides.told_ms("network") <= 75


def test_it_writes_about_its_own_run(vllm: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    """Nonsense, without a figure in it. Forty gates are more than its context has room for, and it says so."""
    applied(tmp_path, vllm, gates=[f"p95(e2e) <= {60 + number}s" for number in range(40)])
    done = llmload("analyze", "latest", "--store", "runs.db", "--max-tokens", "100", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        (analysis,) = analyses_of(store, store.find("latest"))
    assert analysis.text.split() == "".join(tiny_model.words).split()
    assert (analysis.model, analysis.server, analysis.close) == ("tiny", vllm, Close.WHOLE)
    assert "less important parts were left out" in done.stderr
    assert "Every figure in it is in the result" in done.stdout


def test_a_run_that_is_interrupted_leaves_the_server_idle_and_well(vllm: str, tmp_path: Path) -> None:
    target = {"url": vllm, "model": "tiny", "framework": "vllm"}
    prompts = {"synthetic": {"input_tokens": 32, "output_tokens": 1500}}
    scenario = write_scenario(
        tmp_path, target=target, workload={"prompts": prompts, "sampling": {"ignore_eos": True}}, slo={"e2e": "300s"}
    )
    with start("apply", str(scenario), "--store", "runs.db", cwd=tmp_path) as process:
        _wait_until_running(vllm, 4)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    _wait_until_running(vllm, 0)
    with httpx.Client(base_url=vllm, trust_env=False) as client:
        assert client.get("/health").status_code == 200


def test_it_is_launched_for_a_run_and_gone_behind_it(tiny_model: TinyModel, tmp_path: Path) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    launch = {"command": vllm_command(tiny_model.folder, port), "env": ENVIRONMENT, "ready_timeout": "5m"}
    scenario = the_scenario(tmp_path, url, target__launch=launch)
    done = llmload("apply", str(scenario), "--store", "runs.db", cwd=tmp_path, within_s=READY_WITHIN_S + 60)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    assert {record.output_tokens for record in the_measured(every_record(tmp_path))} == {ANSWER_TOKENS}
    assert "Application startup complete" in (tmp_path / "reports" / "chat" / "server.log").read_text()
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
        client.get(f"{url}/health")


def _wait_until_running(url: str, requests: int) -> None:
    give_up = time.monotonic() + 30
    while (running := told(url, "vllm:num_requests_running")) != requests:
        assert time.monotonic() < give_up, f"{running} requests are running, {requests} expected"
        time.sleep(0.05)
