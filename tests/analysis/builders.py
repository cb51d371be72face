"""Windows and scenarios whose truth is known, for the tests of this room."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from llmload.domain import (
    Ending,
    Observation,
    Outcome,
    Phase,
    RequestRecord,
    RunHeader,
    TargetFacts,
    TokenFit,
    TokenSource,
    WorkerFacts,
)
from llmload.planned import Look, Step
from llmload.promises import Bound, Gate, Slo
from llmload.scenario.asked import (
    ClosedLoop,
    Decision,
    Document,
    Load,
    Reports,
    Scenario,
    ServerUrl,
    Target,
    Timeouts,
    Tls,
)
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import Synthetic, Workload

MS = 1_000_000
STEP = Step(0, "concurrency", 8.0)
GOODPUT_95 = Gate("goodput", Bound(">=", 0.95), id="goodput")
SLO = Slo(ttft_ms=100.0)

FACTS = TargetFacts(
    url="http://127.0.0.1:8000",
    framework="openai",
    api="chat",
    model="tiny",
    version="1.0",
    max_model_len=4096,
    fit=TokenFit(template=10, per_word=1.0, residual=0.0, source=TokenSource.USAGE),
    settings={},
    declared=(),
)

HEADER = RunHeader(
    run_id="run-1",
    scenario="test",
    created="2026-11-21T00:00:00.000Z",
    version="0.1.0",
    document_text="",
    document_hash="",
    resolved="{}",
    source="test.yaml",
    labels={},
    environment={},
)


def request(
    seq: int = 0,
    *,
    at_ms: float = 0.0,
    ttft_ms: float = 50.0,
    tpot_ms: float = 10.0,
    tokens: int = 11,
    outcome: Outcome = Outcome.OK,
) -> RequestRecord:
    """A streamed answer, one event per token; a failed one has no event and ends when its TTFT would have come."""
    sent = round(at_ms * MS)
    first = sent + round(ttft_ms * MS)
    is_ok = outcome is Outcome.OK
    events = array("q", [first + round(i * tpot_ms * MS) for i in range(tokens)] if is_ok else [])
    return RequestRecord(
        seq=seq,
        look=0,
        phase=Phase.MEASURED,
        outcome=outcome,
        due_ns=sent,
        sent_ns=sent,
        done_ns=events[-1] + MS if events else first,
        event_ns=events,
        answer_ns=first if events else None,
        asked_input_tokens=100,
        asked_output_tokens=tokens,
        reads=len(events),
        input_tokens=100 if is_ok else None,
        output_tokens=tokens if is_ok else None,
        token_source=TokenSource.USAGE if is_ok else None,
        http_status=200 if is_ok else 500,
        error_type=None if is_ok else "HTTP_500",
    )


def window(
    records: Sequence[RequestRecord],
    *,
    number: int = 0,
    step: Step = STEP,
    ending: Ending = Ending.COMPLETE,
    late_ms: Sequence[float] | None = None,
    planned: int | None = None,
    workers: Sequence[WorkerFacts] = (),
) -> Observation:
    """The window that these requests fill, from the first due to the last done, with a punctual heartbeat."""
    records = [replace(record, look=number) for record in records]
    start = min((r.due_ns for r in records), default=0)
    end = max((r.done_ns for r in records), default=0)
    beats = [0.1] * max(1, (end - start) // (10 * MS)) if late_ms is None else late_ms
    return Observation(
        look=Look(step, number, len(records)),
        records=tuple(records),
        start_ns=start,
        end_ns=end,
        ending=ending,
        heartbeat_late_ns=array("q", [round(late * MS) for late in beats]),
        planned=planned,
        workers=tuple(workers),
    )


def paced(ttfts_ms: Sequence[float], *, every_ms: float = 20.0, begin_ms: float = 0.0) -> list[RequestRecord]:
    """One request every so often, with these TTFTs; an infinite one failed."""
    return [
        request(seq, at_ms=begin_ms + seq * every_ms, ttft_ms=50.0, outcome=Outcome.HTTP_ERROR)
        if ttft == float("inf")
        else request(seq, at_ms=begin_ms + seq * every_ms, ttft_ms=ttft)
        for seq, ttft in enumerate(ttfts_ms)
    ]


def dropped(record: RequestRecord) -> RequestRecord:
    """The same request, due when as many were in flight as may be."""
    return replace(
        record,
        outcome=Outcome.DROPPED,
        error_type="DROPPED_MAX_IN_FLIGHT",
        sent_ns=None,
        done_ns=record.due_ns,
        event_ns=array("q"),
        answer_ns=None,
        output_tokens=None,
        input_tokens=None,
        http_status=None,
    )


def good_and_bad(good: int, bad: int, **options: float) -> list[RequestRecord]:
    """Requests that keep or break SLO, the bad ones spread evenly."""
    n = good + bad
    return paced([200.0 if (i * bad) // n != ((i + 1) * bad) // n else 50.0 for i in range(n)], **options)


def scenario(
    *gates: Gate,
    concurrency: Sequence[int] = (8,),
    requests: int | None = 200,
    max_requests: int = 1600,
    slo: Slo | None = SLO,
    unique: bool = True,
    on_inconclusive: str = "warn",
) -> Scenario:
    """A closed-loop scenario around these gates."""
    return Scenario(
        name="test",
        description="",
        labels={},
        target=Target(
            place=ServerUrl("http://127.0.0.1:8000"),
            model="tiny",
            framework="openai",
            settings=None,
            declared=(),
            api="chat",
            api_key=None,
            headers=(),
            tls=Tls(),
            timeouts=Timeouts(),
        ),
        workload=Workload(Synthetic(Fixed(100), Fixed(11), unique), {}, True, 42),
        load=Load(ClosedLoop(tuple(concurrency)), requests, None, None, 0.0, 300.0, 1000, None),
        slo=slo,
        gates=gates,
        decision=Decision(0.95, max_requests, 1, on_inconclusive, "warn", "warn"),  # type: ignore[arg-type]  # literal
        recommend=None,
        reports=Reports("reports", ()),
        document=Document("test.yaml", "", "{}", ""),
    )
