"""Observations to store: any that a worker could hand over, and one plain one."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import cast

from hypothesis import strategies as st

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, TokenSource, WorkerFacts
from llmload.planned import NO_PART, Look, Part, Step
from llmload.progress import Progress
from llmload.samples import (
    UNWATCHED,
    Distribution,
    Gpu,
    GpuNow,
    MetricName,
    SampleName,
    Series,
    ServerWork,
    Source,
    Watched,
)
from llmload.store.typed_json import words_of
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

_parts = st.just(NO_PART) | st.builds(
    Part,
    st.sampled_from(["chat", "RAG 'n' <more>", None]),
    st.none() | _small,
    st.none() | st.integers(0, 3),
    st.none() | _small,
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
        asked_input_tokens=draw(st.none() | _small),
        asked_output_tokens=draw(_small),
        answer_ns=draw(st.none() | _instants),
        call_ns=draw(st.none() | _instants),
        reasoning_events=draw(_counts),
        answer_events=draw(_counts),
        call_events=draw(_counts),
        reasoning_tokens=draw(_counts),
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
        part=draw(_parts),
    )


_LEAST, _MOST = 1e-29, 2.0**62
_numbers = st.floats(-_MOST, _MOST).filter(lambda value: value == 0 or abs(value) > _LEAST)
_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_bytes = st.none() | st.integers(0, 2**60)
_gpus = st.builds(
    Gpu,
    key=_words,
    index=_small,
    name=_words,
    uuid=_words,
    driver=st.none() | _words,
    memory_total_bytes=_bytes,
    power_limit_w=st.none() | _numbers,
    mig=st.none() | _words,
    host=_words,
)
_metrics: st.SearchStrategy[MetricName] = st.sampled_from(cast(tuple[MetricName, ...], words_of(MetricName)))
_figures: st.SearchStrategy[SampleName] = st.sampled_from(cast(tuple[SampleName, ...], words_of(SampleName)))
_distributions = st.builds(
    Distribution,
    count=_numbers,
    total=_numbers,
    bounds=st.lists(_numbers, max_size=3).map(tuple),
    counts=st.lists(_numbers, max_size=3).map(tuple),
)
_server_work = st.builds(
    ServerWork,
    start_ns=_instants,
    end_ns=_instants,
    counts=st.dictionaries(_metrics, _numbers, max_size=3),
    distributions=st.dictionaries(_metrics, _distributions, max_size=3),
    running_before=st.none() | _numbers,
    running_after=st.none() | _numbers,
)


@st.composite
def _series(draw: st.DrawFn) -> Series:
    """In order, some samples at one instant, some from before the window."""
    at = sorted(draw(st.lists(_instants | st.just(START_NS), max_size=6)))
    values = draw(st.lists(_numbers, min_size=len(at), max_size=len(at)))
    return Series(draw(st.sampled_from(Source)), draw(_figures), draw(_words), array("q", at), array("d", values))


watched = st.builds(
    Watched,
    gpus=st.lists(_gpus, max_size=2).map(tuple),
    series=st.lists(_series(), max_size=3).map(tuple),
    server=st.none() | _server_work,
    notes=st.lists(_words, max_size=2).map(tuple),
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
        watched=draw(st.just(UNWATCHED) | watched),
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


GIB = 2**30
H100 = tuple(
    Gpu(f"GPU-{place}", place, "NVIDIA H100 80GB HBM3", f"GPU-{place}", "570.86.15", 80 * GIB, 700.0)
    for place in (0, 1)
)


def seen_beside(seen: Observation, seconds: int = 3) -> Observation:
    """The same window with two GPUs and a server that were looked at each second, and once before it began."""
    instants = [seen.start_ns + at * 10**9 for at in range(-1, seconds)]
    figures: dict[SampleName, tuple[float, float]] = {  # and by how much they grow, in turns of ten
        "utilisation": (0.5, 0.01),
        "memory_bytes": (70.0 * GIB, 4096.0),
        "temperature_c": (66.0, 1.0),
        "power_w": (640.25, 0.1),
    }
    tracks = [
        Series(
            Source.GPU,
            name,
            gpu.key,
            array("q", instants),
            array("d", (value + more * (place % 10) for place in range(len(instants)))),
        )
        for gpu in H100
        for name, (value, more) in figures.items()
    ]
    tracks.append(
        Series(Source.METRICS, "requests_running", "", array("q", instants), array("d", [0.0] + [8.0] * seconds))
    )
    work = ServerWork(
        instants[0],
        seen.end_ns,
        {"requests_succeeded": 20.0, "output_tokens": 80.0},
        {"ttft_s": Distribution(20.0, 4.1, (0.1, 0.5), (3.0, 17.0, 0.0))},
        0.0,
        0.0,
    )
    return replace(seen, watched=Watched(H100, tuple(tracks), work, ("GPU 1 does not tell its energy",)))


PROGRESS = Progress("concurrency 8", Phase.MEASURED, 40, 200, 8, 812.5, 20.1, 44.0, None, 3.25)

GPUS_NOW = (
    GpuNow(0, "NVIDIA H100 80GB HBM3", 0.97, 71 * GIB, 80 * GIB, 66.0, 640.4),
    GpuNow(1, "NVIDIA T400 4GB", 0.0, GIB // 2, None, None, None),
)
"""The second one tells neither its size nor its temperature nor its power."""
