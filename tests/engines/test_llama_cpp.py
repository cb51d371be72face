"""Against llama.cpp's real HTTP server, which closes after every stream and caches prompts by default."""

from __future__ import annotations

import json
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from llmload.analysis.prefix_hits import hits_of
from llmload.domain import Outcome, Phase, RequestRecord, TargetFacts, TokenSource
from llmload.errors import TargetError
from llmload.scenario.lengths import Fixed
from llmload.store.database import open_existing
from llmload.target.probe import probe
from llmload.workload.plan import Plan
from llmload.workload.tokens import counter_for
from tests.command import measured_apart, write_scenario
from tests.delaying_proxy import DelayingProxy
from tests.engines.conftest import Engine
from tests.engines.tiny_model import ANSWER_TOKENS
from tests.engines.two_sides import TwoSides, another_client, read_sides
from tests.target.asking import a_target, a_workload

pytestmark = pytest.mark.measuring

INPUT_TOKENS = 256
REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Applied:
    """A scenario that was applied: how the command ended, what the probe learnt, and every measured request."""

    command: subprocess.CompletedProcess[str]
    facts: TargetFacts
    measured: list[RequestRecord]


@pytest.fixture(scope="module")
def applied(llama_cpp: Engine, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    directory = tmp_path_factory.mktemp("applied")
    scenario = write_scenario(
        directory,
        target={"url": llama_cpp.url, "model": "tiny"},
        workload__prompts={"synthetic": {"input_tokens": INPUT_TOKENS, "output_tokens": 64}},
        load={"concurrency": [8], "requests": REQUESTS},
        slo={"e2e": "60s"},
        gates=["goodput >= 90%", "error_rate <= 5%"],
    )
    command = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=directory)
    with open_existing(directory / "runs.db") as store:
        stored = store.load(store.find("latest"))
    assert stored.facts is not None, command.stderr
    records = [record for window in stored.observations for record in window.records]
    return Applied(command, stored.facts, [record for record in records if record.phase is Phase.MEASURED])


def test_the_probe_finds_the_model_and_how_much_it_takes(llama_cpp: Engine) -> None:
    facts = probe(a_target(llama_cpp.url), llama_cpp.url, workload=a_workload(), env={}).facts
    assert (facts.model, facts.version, facts.max_model_len) == ("tiny", "llama.cpp", 1024)
    assert facts.fit.source is TokenSource.USAGE


def test_a_model_that_is_not_served_is_told_before_any_load(llama_cpp: Engine) -> None:
    with pytest.raises(TargetError, match="does not serve the model 'big'; it serves tiny") as caught:
        probe(a_target(llama_cpp.url, model="big"), llama_cpp.url, workload=a_workload(), env={})
    assert caught.value.kind == "ModelNotServed"


def test_the_promises_are_kept(applied: Applied) -> None:
    assert applied.command.returncode == 0, applied.command.stdout


def test_every_one_of_200_requests_is_answered_with_exactly_41_tokens(applied: Applied) -> None:
    assert len(applied.measured) >= REQUESTS
    assert {record.outcome for record in applied.measured} == {Outcome.OK}
    assert {record.output_tokens for record in applied.measured} == {ANSWER_TOKENS}
    assert {record.finish_reason for record in applied.measured} == {"stop"}


def test_prompts_are_as_long_as_asked_by_the_servers_own_count(applied: Applied) -> None:
    told = [record.input_tokens or 0 for record in applied.measured]
    assert statistics.mean(told) == pytest.approx(INPUT_TOKENS, rel=0.02)
    # a vocabulary of 1024 cuts common words into up to five tokens, so single prompts differ
    assert statistics.pstdev(told) < 0.05 * INPUT_TOKENS


def test_prompts_are_not_served_from_the_servers_cache(applied: Applied) -> None:
    prompt_tokens = sum(record.input_tokens or 0 for record in applied.measured)
    template = applied.facts.fit.template
    beyond_template = sum(max(0, (record.cached_tokens or 0) - template) for record in applied.measured)
    assert any(record.cached_tokens for record in applied.measured), "the server does tell what it had cached"
    assert beyond_template / prompt_tokens < 0.02


def test_the_models_tokenizer_file_counts_what_the_server_counts(llama_cpp: Engine) -> None:
    counter = counter_for("tiny", str(llama_cpp.model.tokenizer))
    workload = a_workload(INPUT_TOKENS)
    fit = probe(a_target(llama_cpp.url), llama_cpp.url, workload=workload, env={}).facts.fit
    plan = Plan(seed=1, step=0, look=0, input_tokens=Fixed(INPUT_TOKENS), output_tokens=Fixed(1), unique=True, fit=fit)
    counts = [fit.template + counter.count(plan.request(index).prompt) for index in range(200)]
    assert statistics.mean(counts) == pytest.approx(INPUT_TOKENS, rel=0.02)


def test_the_example_of_llama_cpp_holds_against_a_real_one(llama_cpp: Engine, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "scenarios" / "llamacpp.yaml"
    done = measured_apart("apply", str(example), cwd=tmp_path, env={"LLAMACPP_URL": llama_cpp.url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS llamacpp-chat" in done.stdout


def the_sides(directory: Path, url: str, **changes: object) -> TwoSides:
    """Client and server of one run, with nothing written about telemetry: 200 requests, four at a time."""
    asked: dict[str, object] = {
        "target": {"url": url, "model": "tiny"},
        "workload__prompts": {"synthetic": {"input_tokens": INPUT_TOKENS, "output_tokens": 64}},
        "load": {"concurrency": [4], "requests": REQUESTS},
        "slo": {"e2e": "60s"},
        "gates": ["error_rate <= 5%"],
    }
    scenario = write_scenario(directory, **{**asked, **changes})
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_sides(directory)


def test_tokens_their_pace_and_whole_times_agree_with_its_own(llama_cpp: Engine, tmp_path: Path) -> None:
    """It times no request, and so long enough for some looks at how many it has in hand."""
    prompts = {"synthetic": {"input_tokens": INPUT_TOKENS, "output_tokens": 128}}
    asked = {"workload__prompts": prompts, "workload__sampling": {"ignore_eos": True}}
    asked["load"] = {"concurrency": [4], "duration": "5.5s"}
    sides = the_sides(tmp_path, llama_cpp.url, **asked)
    assert sides.figures == {"input_tokens", "output_tokens", "tpot", "e2e"}
    assert (sides.disagreeing, sides.causes) == (set(), {}), sides.checks


def test_another_client_of_it_is_found(llama_cpp: Engine, tmp_path: Path) -> None:
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "Who else is here?"}]}
    with another_client(f"{llama_cpp.url}/v1/chat/completions", ask):
        sides = the_sides(tmp_path, llama_cpp.url, load={"concurrency": [4], "requests": 100})
    assert "output_tokens" in sides.disagreeing
    assert set(sides.causes) == {"other_traffic"}


def test_a_gateway_that_holds_requests_back_is_found(llama_cpp: Engine, tmp_path: Path) -> None:
    """Requests come one by one: those that leave together are all at the gateway, or all in the server."""
    load = {"rate": ["36.4/s"], "arrival": "constant", "duration": "5.5s"}
    for number in range(3):  # on a machine that is busy besides, requests wait in the server too
        folder = tmp_path / str(number)
        folder.mkdir()
        with DelayingProxy(llama_cpp.url, 0.05) as proxy:
            sides = the_sides(folder, proxy.url, load=load)
        if set(sides.causes) == {"network"}:
            break
    assert set(sides.causes) == {"network"}
    assert 35 <= sides.told_ms("network") <= 65


def test_conversations_of_a_file_are_answered_and_with_a_salt_never_from_the_cache(
    llama_cpp: Engine, tmp_path: Path
) -> None:
    """Eight rows come again and again; their system prompt, which all have, is behind the salt too."""
    with (tmp_path / "rows.jsonl").open("w") as file:
        for row in range(8):
            messages = [{"role": "system", "content": "be brief " * 20}, {"role": "user", "content": f"what of {row}"}]
            file.write(json.dumps({"messages": messages, "max_tokens": 4}) + "\n")
    cached = {}
    for unique in (True, False):
        scenario = write_scenario(
            tmp_path,
            target={"url": llama_cpp.url, "model": "tiny"},
            workload__prompts={"file": {"path": "rows.jsonl", "format": "openai", "reuse": True, "unique": unique}},
            load={"concurrency": [2], "requests": 40, "warmup": {"requests": 16}},
            gates=["error_rate <= 20%"],
        )
        done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        with open_existing(tmp_path / "runs.db") as store:
            stored = store.load(store.find("latest"))
        assert stored.facts is not None
        told = [record for window in stored.observations for record in window.records if record.phase is Phase.MEASURED]
        assert {(record.outcome, record.output_tokens) for record in told} == {(Outcome.OK, 4)}
        beyond = sum(max(0, (record.cached_tokens or 0) - stored.facts.fit.template) for record in told)
        cached[unique] = beyond / sum(record.input_tokens or 0 for record in told)
    assert cached[True] < 0.05
    assert cached[False] > 0.5


def test_a_row_that_the_server_has_no_room_for_is_told_before_the_load(llama_cpp: Engine, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("short\n" + "the of and to in is that " * 200 + "\n")
    scenario = write_scenario(
        tmp_path,
        target={"url": llama_cpp.url, "model": "tiny"},
        workload__prompts={"file": {"path": "rows.txt", "format": "prompts", "reuse": True, "output_tokens": 8}},
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 5, done.stdout
    assert "it refuses the longest prompt of the file" in " ".join((done.stdout + done.stderr).split())


SHARED = {"tokens": 400, "groups": 6, "zipf": 0.5, "hits": "62%"}


def test_prompts_that_share_prefixes_hit_its_cache_as_declared_and_no_further(
    llama_cpp: Engine, tmp_path: Path
) -> None:
    """Each of its slots remembers its last prompt: one request at a time and fewer groups than slots, so that each
    group finds its own. Six of them, since words of this vocabulary differ in tokens, and so do prefixes.
    """
    scenario = write_scenario(
        tmp_path,
        target={"url": llama_cpp.url, "model": "tiny"},
        workload__prompts={"synthetic": {"input_tokens": 640, "output_tokens": 4, "shared_prefix": SHARED}},
        load={"concurrency": [1], "requests": 100, "warmup": {"requests": 16}},
        decision={"max_requests": 100},
        slo={"e2e": "60s"},
        gates=["error_rate <= 10%"],
        reports={"formats": ["json"]},
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    hits = hits_of(stored.observations)
    told = [record for window in stored.observations for record in window.records if record.phase is Phase.MEASURED]
    assert hits is not None
    assert hits.share == pytest.approx(0.62, abs=0.05)
    assert statistics.mean(record.input_tokens or 0 for record in told) == pytest.approx(640, rel=0.02)
    assert {record.part.group for record in told} == set(range(6))
    assert max(record.cached_tokens or 0 for record in told) < 460  # the template, and a prefix of long words
    result = json.loads(next((tmp_path / "reports").rglob("result.json")).read_text())
    assert [finding for finding in result["findings"] if finding["kind"] == "prefix_hits"] == []


def test_a_conversation_keeps_its_context_and_its_cache(llama_cpp: Engine, tmp_path: Path) -> None:
    """By its own counts: a prompt holds all of the turn before, and that is in the cache up to the last word."""
    scenario = write_scenario(
        tmp_path,
        target={"url": llama_cpp.url, "model": "tiny"},
        workload={
            "prompts": {"synthetic": {"input_tokens": 100, "output_tokens": 64}},
            "sessions": {"turns": 4, "think_time": "20ms", "input_tokens": 30},
        },
        load={"concurrency": [2], "requests": 60},
        slo={"e2e": "60s"},
        gates=["error_rate <= 20%"],
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    assert stored.facts is not None
    sent = [record for window in stored.observations for record in window.records if record.outcome is Outcome.OK]
    turns = {(record.look, record.part.session, record.part.turn): record for record in sent}
    pairs = [(turns[look, session, turn - 1], turns[look, session, turn]) for look, session, turn in turns if turn]
    assert len(pairs) >= 40
    template = stored.facts.fit.template
    for before, after in pairs:
        said = (before.input_tokens or 0) + ANSWER_TOKENS
        assert said + 10 <= (after.input_tokens or 0) <= said + 30 + 2 * template + 30
        assert after.cached_tokens == said - 1  # all but the end of the turn, which the template writes anew
    assert all((turns[key].cached_tokens or 0) <= template for key in turns if key[2] == 0)
    grown = [statistics.mean(r.cached_tokens or 0 for key, r in turns.items() if key[2] == turn) for turn in range(4)]
    assert grown == sorted(grown)


OBJECT = {"type": "object", "properties": {"is_blue": {"type": "boolean"}}, "required": ["is_blue"]}


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"type": "json_object"}, id="any JSON object"),
        pytest.param({"type": "json_schema", "json_schema": {"name": "sky", "schema": OBJECT}}, id="a schema"),
    ],
)
def test_answers_keep_the_form_that_a_row_asks_and_have_as_many_tokens_as_the_engine_made(
    llama_cpp: Engine, tmp_path: Path, form: dict[str, object]
) -> None:
    """The model is deterministic, so that the engine's own timings of one answer are those of all."""
    row = {"messages": [{"role": "user", "content": "Is the sky blue?"}], "response_format": form}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    asked = {"model": "tiny", "max_tokens": 200, "temperature": 0, **row}
    answer = httpx.post(f"{llama_cpp.url}/v1/chat/completions", json=asked, timeout=30, trust_env=False).json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"]), dict)
    made = answer["timings"]["predicted_n"]
    assert 0 < made < 200
    scenario = write_scenario(
        tmp_path,
        target={"url": llama_cpp.url, "model": "tiny"},
        workload__prompts={
            "file": {"path": "rows.jsonl", "format": "openai", "reuse": True, "output_tokens": 200},
        },
        workload__sampling={"temperature": 0},
        load={"concurrency": [2], "requests": 40, "warmup": {"requests": 2}},
        gates=["error_rate <= 20%"],
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    told = [record for window in stored.observations for record in window.records if record.phase is Phase.MEASURED]
    assert {(record.outcome, record.finish_reason, record.output_tokens) for record in told} == {
        (Outcome.OK, "stop", made)
    }
    assert {(record.reasoning_events, record.call_events) for record in told} == {(0, 0)}
