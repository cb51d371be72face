"""Every request is accounted for exactly once, whatever the server does to it: our records against its own ledger."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.frameworks.registry import adapter_for
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.scenario.asked import Faults, Poisson, Simulator
from llmload.scenario.lengths import Fixed
from llmload.simulator.process import SimulatorProcess, start
from llmload.simulator.truth import RequestTruth, Truth, body_hash
from llmload.workload.pace import Arrivals, Pace, Slots
from llmload.workload.plan import Plan
from tests.load.windows import FIT, endpoint, window
from tests.simulator.asking import DIRECT

SHARE = 0.05
FAULTY = Simulator(
    decode_base_ms=2,
    decode_per_seq_ms=0,
    mean_answer_tokens=100_000,  # so that answers are of several tokens where nothing makes the model go on
    faults=Faults(
        error_rate=SHARE,
        error_status=503,
        disconnect_rate=SHARE,
        stall_rate=SHARE,
        malformed_rate=SHARE,
        stream_error_rate=SHARE,
    ),
)
EXPECTED: Mapping[str | None, tuple[Outcome, str | None]] = {
    None: (Outcome.OK, None),
    "error": (Outcome.HTTP_ERROR, "HTTP_503"),
    "disconnect": (Outcome.TRUNCATED, "CONNECTION_ERROR"),
    "stall": (Outcome.TIMEOUT, "TIMEOUT_TOTAL"),
    "malformed": (Outcome.PROTOCOL_ERROR, "JSON_PARSE_ERROR"),
    "stream_error": (Outcome.STREAM_ERROR, "ERROR_IN_STREAM"),
}
"""What each fault is to a client that reads a stream of several tokens."""
PLAN = Plan(1, 0, 0, Fixed(8), Fixed(8), True, FIT)
TELLS_NO_USAGE = ("triton",)


def keys_of(asked: Window, records: tuple[RequestRecord, ...]) -> list[str]:
    """What the server calls the request of each record."""
    body = adapter_for(asked.endpoint.framework).dialects[asked.endpoint.api].body
    return [body_hash(body(asked.endpoint, asked.plan.request(record.seq))) for record in records]


def settled(server: SimulatorProcess) -> Truth:
    """The ledger once nothing is under way any more: fillers are hung up on when a window ends."""
    for _ in range(500):
        truth = server.truth()
        if not truth["in_flight"]:
            return truth
        threading.Event().wait(0.01)
    raise AssertionError("the server still answers requests that the client has left")


def finished(server: SimulatorProcess) -> Counter[str]:
    """How the page of metrics says requests ended."""
    page = httpx.get(server.url + "/metrics", timeout=10, **DIRECT).text
    found = re.findall(r'vllm:request_success_total\{.*finished_reason="(\w+)"\} ([\d.]+)', page)
    return Counter({reason: int(float(count)) for reason, count in found})


def assert_one_record_each(observation: Observation) -> None:
    """No planned request is missing, none is there twice; only fillers of the very end may have been left out."""
    seqs = [record.seq for record in observation.records]
    assert len(seqs) == len(set(seqs))
    needed = {record.seq for record in observation.records if record.phase is not Phase.FILLER}
    assert needed == set(range(max(needed) + 1))
    assert sum(record.phase is Phase.MEASURED for record in observation.records) >= observation.look.requests


def assert_same_tokens(asked: Window, record: RequestRecord, known: RequestTruth) -> None:
    """An event for each token that was really sent; and counts, where the server tells them."""
    counts = (known["prompt_tokens"], known["output_tokens"])
    assert known["output_tokens"] == len(record.event_ns)
    told = (record.input_tokens, record.output_tokens)
    assert told == ((None, None) if asked.endpoint.framework in TELLS_NO_USAGE else counts)


def assert_same(asked: Window, observation: Observation, truth: Truth) -> None:
    """Request by request, what we say of it is what the server did to it."""
    told: dict[str, list[RequestTruth]] = {}
    for request in truth["requests"]:
        told.setdefault(request["body_hash"], []).append(request)
    assert truth["forgotten"] == 0
    for key, record in zip(keys_of(asked, observation.records), observation.records, strict=True):
        known = told.pop(key, [])
        if record.outcome is Outcome.CANCELLED:  # a filler: hung up on, at whatever point
            assert len(known) <= 1
            continue
        assert len(known) == 1, (record.seq, record.outcome, record.error_text, known)
        assert (record.outcome, record.error_type) == EXPECTED[known[0]["fault"]], (record, known[0])
        if record.outcome is Outcome.OK:
            assert_same_tokens(asked, record, known[0])
    assert not told, "the server knows of requests that have no record"


CLOSED, OPEN = Slots(16), Arrivals(200, Poisson(), key=3)
STEPS: Mapping[Pace, Step] = {CLOSED: Step(0, "concurrency", 16), OPEN: Step(0, "rate", 200)}


def account(framework: str, api: str, pace: Pace, workers: int) -> None:
    """Put load on a faulty server, and hold what we say of every request against what it says."""
    settings = replace(FAULTY, framework=framework)
    with start(settings, api_key=None) as server, Pool(workers=workers) as pool:
        target = endpoint(server.url, framework=framework, api=api, model=settings.model, total_timeout_s=1)
        look = Look(STEPS[pace], 0, 400)
        asked = window(target, look=look, pace=pace, warmup=16, plan=PLAN, max_duration_s=60)
        observation = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
        truth, ended = settled(server), finished(server)
    assert_one_record_each(observation)
    assert_same(asked, observation, truth)
    totals, outcomes = truth["totals"], Counter(record.outcome for record in observation.records)
    assert min(outcomes[outcome] for outcome, _ in EXPECTED.values()) >= 10, "all faults happened"
    assert ended["stop"] + ended["length"] == totals["ok"] + totals["malformed"]
    failed_inside = sum((one["outcome"], one["status"]) == ("failed", 200) for one in truth["requests"])
    assert ended["abort"] == totals["disconnected"] + totals["stalled"] + totals["cancelled"] + failed_inside


@pytest.mark.measuring
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("pace", [CLOSED, OPEN], ids=["closed loop", "open loop"])
def test_every_request_has_one_record_that_says_what_the_server_did(pace: Pace, workers: int) -> None:
    account("vllm", "chat", pace, workers)


@pytest.mark.measuring
@pytest.mark.parametrize(
    ("framework", "api"),
    [
        pytest.param("vllm", "completions", id="completions"),
        pytest.param("ollama", "chat", id="Ollama's chat"),
        pytest.param("ollama", "generate", id="Ollama's generate"),
        pytest.param("triton", "generate", id="Triton"),
        pytest.param("sglang", "generate", id="SGLang's generate"),
    ],
)
def test_the_same_holds_in_every_protocol(framework: str, api: str) -> None:
    account(framework, api, CLOSED, workers=2)
