"""Handing an observation from the worker to the runner."""

from __future__ import annotations

import io
import time
from array import array

from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, TokenSource
from llmload.load.handover import read_frame, read_observation, write_observation
from llmload.planned import Look, Step

_INSTANT = st.integers(0, 2**62)
_OPTIONAL_INT = st.none() | st.integers(0, 2**40)
_OPTIONAL_TEXT = st.none() | st.text(max_size=20)
RECORDS = st.builds(
    RequestRecord,
    seq=st.integers(0, 10**6),
    look=st.integers(0, 5),
    phase=st.sampled_from(Phase),
    outcome=st.sampled_from(Outcome),
    due_ns=_INSTANT,
    sent_ns=st.none() | _INSTANT,
    done_ns=_INSTANT,
    event_ns=st.lists(_INSTANT, max_size=8).map(lambda values: array("q", values)),
    asked_input_tokens=st.none() | st.integers(0, 10**6),
    asked_output_tokens=st.integers(0, 10**6),
    output_tokens=_OPTIONAL_INT,
    token_source=st.none() | st.sampled_from(TokenSource),
    error_type=_OPTIONAL_TEXT,
    text=_OPTIONAL_TEXT,
    is_streamed=st.booleans(),
)
LOOK = Look(Step(0, "concurrency", 4), 1, 200)


def _through_a_pipe(observation: Observation) -> Observation:
    pipe = io.BytesIO()
    write_observation(pipe, observation)
    pipe.seek(0)
    packed, events = read_frame(pipe), read_frame(pipe)
    assert packed is not None
    assert events is not None
    assert read_frame(pipe) is None
    return read_observation(packed, events)


@given(st.lists(RECORDS, max_size=6), st.sampled_from(Ending), st.lists(_INSTANT, max_size=5))
def test_what_arrives_is_what_was_sent(records: list[RequestRecord], ending: Ending, late: list[int]) -> None:
    observation = Observation(LOOK, tuple(records), 5, 9, ending, array("q", late))
    assert _through_a_pipe(observation) == observation


def test_a_frame_whose_writer_died_is_no_frame() -> None:
    assert read_frame(io.BytesIO(b"\x08\0\0\0\0\0\0\0abc")) is None
    assert read_frame(io.BytesIO(b"\x08\0")) is None


def test_a_hundred_thousand_records_cross_in_seconds() -> None:
    record = RequestRecord(0, 0, Phase.MEASURED, Outcome.OK, 1, 2, 3, array("q", range(20)), 5, 6)
    observation = Observation(LOOK, (record,) * 100_000, 0, 1, Ending.COMPLETE, array("q"))
    began = time.monotonic()
    assert len(_through_a_pipe(observation).records) == 100_000
    assert time.monotonic() - began < 20  # about 1.5 s on a quiet core
