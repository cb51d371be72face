"""A recorded run full of trouble: failures, open questions, missing values, and texts that attack their readers."""

from __future__ import annotations

from dataclasses import replace

from llmload.domain import RunHeader, RunResult, StepMetrics, StepResult, TargetFacts, TokenFit, TokenSource, Workers
from llmload.planned import Step
from llmload.promises import At, Bound, Gate, Level, Slo
from llmload.samples import Source
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.verdict import Caveat, Evidence, Finding, Status, Verdict
from tests.recorded_foreign import HOSTILE, LONG_ERROR
from tests.recorded_hostile_advice import HOSTILE_ANALYSIS, NO_ADVICE
from tests.recorded_latencies import summary
from tests.recorded_series import mute_gpu, timeline_of
from tests.recorded_serving import server_series
from tests.recorded_steps import looks_of, metrics_of, passing_step

_EMPTY = StepMetrics(
    window_s=12.0,
    attempts=64,
    ok=0,
    good=0,
    cancelled=3,
    dropped=0,
    planned=None,
    goodput=0.0,
    goodput_low=0.0,
    goodput_high=0.0457,
    goodput_rps=0.0,
    error_rate=1.0,
    rps=0.0,
    output_tps=None,
    total_tps=None,
    input_tokens=0,
    output_tokens=0,
    cached_tokens=None,
    failed_output_tokens=117,
    latency={},
    histograms={},
    errors={"HTTP_503": 40, "TIMEOUT": 20, f"UNEXPECTED:{HOSTILE}": 4},
    token_sources={},
    shared_reads=None,
)

_SLOW = replace(
    metrics_of(1600, 642.0, 31.3, 1711.0),
    ok=1570,
    good=1451,
    cancelled=32,
    goodput=1451 / 1600,
    goodput_low=0.8812,
    goodput_high=0.9274,
    error_rate=30 / 1600,
    cached_tokens=None,
    failed_output_tokens=2210,
    errors={"HTTP_503": 18, "CONNECTION_ERROR": 12},
    token_sources={"usage": 1400, "estimate": 170},
    shared_reads=0.27,
)


_BROKEN = (
    "1451 of 1,600 requests good (90.68%); at 95% confidence at most 92.74% are, 95% wanted;"
    " not good: 119 over ttft 800ms, 30 failed"
)
_COMPLETED = "1570 of 1,600 requests completed (98.12%); at 95% confidence at least 97.32% are, 95% wanted"
_RELIEF = "Lower the load, or give the server more capacity"


def _failing_step() -> StepResult:
    step = Step(1, "concurrency", 50)
    short = Evidence(1451 / 1600, 0.95, 0.8812, 0.9274, 1600, 2.41, 1600 / 2.41, 0.95, 4)
    nearly = Evidence(0.94996, 0.95, 0.9311, 0.9652, 1600, 2.1, 1600 / 2.1, 0.95, 4)
    slow = Evidence(1711.0, 1800.0, 1689.5, 1733.1, 20, None, None, 0.95, 1)
    verdicts = (
        Verdict(
            Gate("goodput", Bound(">=", 0.95), at=At("concurrency", "<=", 50), line=31),
            step.label,
            Status.FAIL,
            _BROKEN,
            _RELIEF,
            "SloViolation",
            short,
        ),
        Verdict(
            Gate("ttft", Bound("<=", 800.0), stat="p95", id="ttft-tail", line=32),
            step.label,
            Status.INCONCLUSIVE,
            "p95(ttft) was 800.4ms, 1520 of 1,600 requests within 800ms (94.99%);"
            " at 95% confidence between 93.11% and 96.52% are, 95% wanted",
            "Raise decision.max_requests or load.requests; more concurrency does not help",
            "TooCloseToCall",
            nearly,
        ),
        Verdict(
            Gate("output_tps", Bound(">=", 1800.0), level=Level.WARN, line=36),
            step.label,
            Status.FAIL,
            "output_tps was 1711 tok/s; at 95% confidence between 1690 tok/s and 1733 tok/s, 1800 tok/s wanted",
            _RELIEF,
            "SloViolation",
            slow,
        ),
        Verdict(Gate("error_rate", Bound("<=", 0.05)), step.label, Status.PASS, _COMPLETED, "", "", _ERRORS_HELD),
    )
    caveats = (
        Caveat(
            "several events per read",
            "27% of text events shared one read with another, so their gaps are not the server's",
            "Take TPOT and ITL from a client nearer the server; a proxy between may hold text back",
        ),
        Caveat(
            "estimate of tokens",
            "170 of 1,570 answers have token counts of characters / 4",
            "Name the model's tokenizer.json in spec.workload.tokenizer",
        ),
    )
    return StepResult(
        step,
        looks_of(step, 200, 200, 400, 800),
        _SLOW,
        verdicts,
        caveats,
        gpu=GpuFigures(1, utilisation=0.97, throttled=0.62, throttle_reasons=(HOSTILE, "too hot", "power cap")),
        server=_STRAINED,
        checks=(
            Check("requests", "", 1702.0, 2110.0, 0.05),
            Check("output_tokens", "tokens", 204_160.0, 262_144.0, 0.05),
            Check("ttft", "ms", 667.68, 641.9, 0.1, 5.0),
        ),
    )


_STRAINED = ServerFigures(
    source=Source.METRICS,
    running=31.4,
    waiting=27.9,
    waiting_max=64.0,
    kv_cache_share=0.9943,
    prefix_cache_hit_share=None,
    preemptions=37.0,
    ttft_ms=641.9,
    tpot_ms=31.9,
    queue_ms=412.6,
)


_ERRORS_HELD = Evidence(1570 / 1600, 0.95, 0.9732, 0.9869, 1600, 1.9, 1600 / 1.9, 0.95, 4)


_LATE = "p99 heartbeat lateness 61ms, at most 10ms allowed"
_MORE_WORKERS = (
    "Use more workers (load.workers, 1 now on 2 CPUs), give the load generator an idle core,"
    " or use another machine (load.engine: ray)"
)


def _dead_step() -> StepResult:
    step = Step(2, "concurrency", 100)
    missing = Evidence(None, 0.95, None, None, 0, None, None, 0.95, 1)
    verdicts = (
        Verdict(
            Gate("ttft", Bound("<=", 800.0), stat="p95", id="ttft-tail", line=32),
            step.label,
            Status.ERROR,
            f"could not measure: nothing succeeded: all 64 requests of the run failed ({LONG_ERROR})",
            "Send one request by hand to the target's url, model and api, then run again",
            "NoData",
            missing,
        ),
        Verdict(
            Gate("tpot", Bound("<=", 50.0), stat="p99", id=HOSTILE, line=40),
            step.label,
            Status.ERROR,
            f"could not measure: client was late: {_LATE}",
            _MORE_WORKERS,
            "ClientSaturated",
        ),
    )
    caveats = (
        Caveat(
            "client was late",
            _LATE,
            _MORE_WORKERS,
            is_fatal=True,
            kind="ClientSaturated",
        ),
        Caveat("hostile", HOSTILE, HOSTILE),
    )
    only_log = ServerFigures(Source.LOG, running=0.0, waiting=61.5, waiting_max=64.0, kv_cache_share=0.31)
    return StepResult(step, looks_of(step, 64), _EMPTY, verdicts, caveats, gpu=GpuFigures(1), server=only_log)


_OFFERED = replace(
    metrics_of(2000, 481.0, 24.6, 4480.0),
    ok=1884,
    good=1702,
    dropped=96,
    planned=2000,
    goodput=1702 / 2000,
    goodput_low=0.8204,
    goodput_high=0.8762,
    error_rate=116 / 2000,
    errors={"DROPPED_MAX_IN_FLIGHT": 96, "TIMEOUT": 20},
)


def _open_loop_step() -> StepResult:
    """Twice the load of the step before, reached by a ramp, and more than the server keeps up with."""
    step = Step(3, "rate", 40.0)
    latency = {**_OFFERED.latency, "ttft_due": summary(484.5, count=1884)}
    late = Evidence(1702 / 2000, 0.95, 0.8204, 0.8762, 2000, 3.02, 2000 / 3.02, 0.95, 1)
    verdicts = (
        Verdict(
            Gate("ttft", Bound("<=", 800.0), stat="p95", id="ttft-tail", line=32),
            step.label,
            Status.FAIL,
            "p95(ttft) was 1.42s, 1702 of 2,000 requests within 800ms of being due (85.1%);"
            " at 95% confidence at most 87.62% are, 95% wanted",
            "Lower the load, or give the server more capacity",
            "SloViolation",
            late,
        ),
    )
    caveats = (
        Caveat(
            "requests were dropped",
            "96 of 2,000 requests (4.8%) were due while 64 were in flight; none of them is good",
            "At this rate, and 2.1s each (p99), up to 84 are in flight: raise load.max_in_flight above that if the"
            " server is to carry them; else lower load.rate, or give it more capacity",
        ),
        Caveat(
            "client used most of its core",
            "worker 1 used 83.4% of its core, less than 95% allowed",
            "Use another machine (load.engine: ray), or give each worker an idle core: 2 workers share 2 CPUs",
        ),
    )
    workers = Workers(2, "as load.workers asks", 0.834)
    metrics = replace(_OFFERED, latency=latency)
    far = ServerFigures(Source.METRICS, 58.2, 4.1, 19.0, 0.88, 0.312, 0.0, 446.1, 24.9, 3610.4, 11.2)
    checks = (
        Check("requests", "", 1904.0, 1904.0, 0.05),
        Check("input_tokens", "tokens", 487_424.0, 489_328.0, 0.05),
        Check("output_tokens", "tokens", 243_712.0, 219_340.0, 0.05),
        Check("ttft", "ms", 500.24, 446.1, 0.1, 5.0),
        Check("tpot", "ms", 25.584, 24.9, 0.1, 1.0),
    )
    return StepResult(
        step, looks_of(step, 2000), metrics, verdicts, caveats, workers, gpu=None, server=far, checks=checks
    )


def _clean_first_step() -> StepResult:
    step = Step(0, "concurrency", 1)
    return replace(
        passing_step(0, 1, metrics_of(200, 18.25, 8.12, 118.4)), step=step, gpu=GpuFigures(1, utilisation=0.41)
    )


_STEPS = (_clean_first_step(), _failing_step(), _dead_step(), _open_loop_step())
_TIMELINE = timeline_of(_STEPS, bin_s=2.0)

_OTHERWISE = (
    "the server runs with another value than the scenario declares; correct framework_config or restart the server"
)

_AT_FIFTY = (
    Finding(
        "requests",
        "1,702 requests",
        "2,110 requests",
        "the server had work that is not ours: it counted 408 requests more than we sent;"
        " also apart, client / server: output tokens 204,160 / 262,144; measure on a server that nobody else uses",
        step="concurrency 50",
        kind="other_traffic",
    ),
    Finding(
        "mean queue time",
        "at most 133.5ms, 20% of TTFT",
        "412.6ms",
        "requests wait in the server's own queue before it begins with them, 61.79% of TTFT;"
        " up to 64 requests waited at a time; lower the load, or give the server more capacity",
        step="concurrency 50",
        kind="server_queue",
    ),
    Finding(
        "preemptions",
        "0",
        "37",
        "the KV cache had no room for all that was begun, so requests were put back and computed again;"
        " up to 99.43% of it was in use; lower the load or max_num_seqs, or give the server more KV cache",
        step="concurrency 50",
        kind="preemption",
    ),
    Finding(
        "GPU clock",
        "1,980 MHz where nothing slows it down",
        "1,350 MHz",
        "a GPU was slowed down in 62% of the samples (too hot), and requests took longer for it;"
        " look at cooling and power supply",
        step="concurrency 50",
        kind="throttling",
    ),
)
_AT_FORTY = (
    Finding(
        "mean TTFT",
        "500.2ms",
        "446.1ms",
        "54.1ms of each request lies between client and server: network, TLS, a proxy or a gateway, or the server's"
        " front end before its own clock begins; TPOT agrees, so answers flow as the server sends them;"
        " measure beside the server, without what is between, and compare",
        step="rate 40/s",
        kind="network",
    ),
    Finding(
        "output tokens",
        "243,712 output tokens",
        "219,340 output tokens",
        "client and server count tokens differently: ours are the usage that each answer carries, the server's are its"
        " own counter; send one request by hand, and hold its usage against the counter",
        step="rate 40/s",
        kind="token_count",
    ),
)

TROUBLE = RunResult(
    header=RunHeader(
        run_id="01JZK4ZZZZZZZZZZZZZZZZZZZZ",
        scenario="qwen3-14b-chat",
        created="2026-03-01T10:00:00.000Z",
        version="0.1.0",
        document_text="apiVersion: llmload/v1\n",
        document_hash="0a" * 32,
        resolved="{}",
        source="scenarios/채팅 <b>.yaml",
        labels={"=HYPERLINK(1)": HOSTILE, "팀": "서빙"},
        environment={"python": "3.13.1", "platform": "Linux-aarch64", "cpus": "2"},
    ),
    finished=None,
    target=TargetFacts(
        url="https://llm.example/v1",
        framework="openai",
        api="chat",
        model=f"qwen3|14b {HOSTILE}",
        version=None,
        max_model_len=None,
        fit=TokenFit(0.0, 1.0, 0.31, TokenSource.ESTIMATE),
        settings={"context_length": 4096, "quantization": "fp8", "replicas": 2},
        declared=("quantization", "replicas"),
        left_out=("ignore_eos", "top_k"),
        actual={"context_length": 8192, "quantization": f"awq {HOSTILE}"},
    ),
    steps=_STEPS,
    status=Status.FAIL,
    exit_code=3,
    because=f"goodput >= 95% at concurrency <= 50 at concurrency 50: {_BROKEN} (and 1 more)",
    fingerprint={
        "framework": "openai",
        "gpu": "알 수 없음",
        "load": "concurrency [1, 50, 100]; rate [40] poisson, ramp 10s",
        "model": f"qwen3|14b {HOSTILE}",
    },
    findings=(
        Finding("framework_config.quantization", "fp8", f"awq {HOSTILE}", _OTHERWISE, kind="declared"),
        Finding("framework_config.replicas", "2", "1", _OTHERWISE),
        *_AT_FIFTY,
        *_AT_FORTY,
    ),
    caveats=(
        Caveat(
            "input length unsure",
            "words and the server's tokens differ by 31% after fitting",
            "Read the input tokens of the report, not those of the scenario",
        ),
    ),
    notices=("line 12: vllm_config is ignored, since framework_config is written too; delete it.", HOSTILE),
    slo=Slo(ttft_ms=800.0, tpot_ms=50.0),
    timeline=_TIMELINE,
    gpus=(mute_gpu(HOSTILE, _TIMELINE),),
    server=server_series(_TIMELINE, Source.LOG, most_running=32.0, silent=(40.0, 95.0)),
    recommendation=NO_ADVICE,
    analyses=(HOSTILE_ANALYSIS,),
)
