"""Observations to store: any that a worker could hand over, and one plain one."""

from __future__ import annotations

from array import array
from dataclasses import replace

from hypothesis import strategies as st

from llmload.domain import Ending, Look, Observation, Outcome, Phase, RequestRecord, Step, TokenSource, WorkerFacts
from llmload.progress import Progress
from llmload.verdict import Caveat

START_NS = 123_456_789_000_000
_STEP = Step(1, "concurrency", 8)

_instants = st.integers(START_NS // 1000 - 10**7, START_NS // 1000 + 10**10).map(lambda us: us * 1000)
_counts = st.none() | st.integers(0, 2**63 - 1)
_texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_small = st.integers(0, 2**40)
_workers = st.builds(
    WorkerFacts,
    number=_small,
    node=st.sampled_from(["", "node-b"]),
    cpu_share=st.none() | st.floats(0, 1),
    opened=_small,
    clock_error_ns=_small,
    beats=_small,
)


@st.composite
def _records(draw: st.DrawFn) -> RequestRecord:
    """Instants in any order: a clock in trouble must come back as it was, to be found out."""
    return RequestRecord(
        seq=0,
        look=0,
        phase=draw(st.sampled_from(Phase)),
        outcome=draw(st.sampled_from(Outcome)),
        due_ns=draw(_instants),
        sent_ns=draw(st.none() | _instants),
        done_ns=draw(_instants),
        event_ns=array("q", draw(st.lists(_instants, max_size=6))),
        asked_input_tokens=draw(_small),
        asked_output_tokens=draw(_small),
        answer_ns=draw(st.none() | _instants),
        connect_ns=draw(_small) * 1000,
        reads=draw(_small),
        is_streamed=draw(st.booleans()),
        input_tokens=draw(_counts),
        output_tokens=draw(_counts),
        cached_tokens=draw(_counts),
        token_source=draw(st.none() | st.sampled_from(TokenSource)),
        finish_reason=draw(_texts),
        http_status=draw(st.none() | st.integers(100, 599)),
        error_type=draw(_texts),
        error_text=draw(_texts),
        retried=draw(st.booleans()),
        text=draw(_texts),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """A window of any records, in order of start."""
    number = draw(st.integers(0, 3))
    records = draw(st.lists(_records(), max_size=12))
    first = draw(st.integers(0, 1000))
    return Observation(
        look=Look(_STEP, number, draw(st.integers(1, 5000))),
        records=tuple(replace(one, seq=first + 2 * place, look=number) for place, one in enumerate(records)),
        start_ns=START_NS,
        end_ns=draw(_instants),
        ending=draw(st.sampled_from(Ending)),
        heartbeat_late_ns=array("q", draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))),
        planned=draw(st.none() | st.integers(0, 2**40)),
        workers=tuple(draw(st.lists(_workers, max_size=3))),
        workers_because=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
        caveats=tuple(Caveat(rule, "3 of 4", "wait", True, "NoData") for rule in draw(st.lists(st.text(), max_size=2))),
    )


def record(seq: int, *, events: int = 4, look: int = 0) -> RequestRecord:
    """An answer of `events` chunks, 20 ms apart, begun 10 ms after the one before it."""
    due = START_NS + seq * 10_000_000
    event_ns = array("q", (due + 200_000_000 + place * (20_000_000 + seq * 1000) for place in range(events)))
    return RequestRecord(
        seq=seq,
        look=look,
        phase=Phase.MEASURED,
        outcome=Outcome.OK,
        due_ns=due,
        sent_ns=due + 300_000,
        done_ns=event_ns[-1] + 1_000_000,
        event_ns=event_ns,
        asked_input_tokens=512,
        asked_output_tokens=events,
        answer_ns=event_ns[0],
        reads=events + 2,
        input_tokens=500 + seq % 30,
        output_tokens=events,
        cached_tokens=0,
        token_source=TokenSource.USAGE,
        finish_reason="length",
        http_status=200,
    )


def window(
    step: int = 0, look: int = 0, *, requests: int = 20, ending: Ending = Ending.COMPLETE, events: int = 4
) -> Observation:
    """A plain window."""
    return Observation(
        look=Look(Step(step, "concurrency", 2.0**step), look, requests),
        records=tuple(record(seq, look=look, events=events) for seq in range(requests)),
        start_ns=START_NS,
        end_ns=START_NS + 10**9,
        ending=ending,
        heartbeat_late_ns=array("q", [1200, 0, 35_000]),
    )


PROGRESS = Progress("concurrency 8", Phase.MEASURED, 40, 200, 8, 812.5, 20.1, 44.0, None, 3.25)
