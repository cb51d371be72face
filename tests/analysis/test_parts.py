"""Figures of each part of the traffic: those of its own requests, which together are all of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.metrics import measure
from llmload.analysis.parts import parts_of
from llmload.domain import Observation, Outcome, Phase
from llmload.planned import NO_PART, Part
from llmload.promises import Slo
from tests.store.observations import window

SLO = Slo(ttft_ms=250.0)
WHOLE = window(requests=60)


def with_parts(parts: list[Part]) -> Observation:
    """The window with its requests of these parts, in turns."""
    records = tuple(replace(one, part=parts[one.seq % len(parts)]) for one in WHOLE.records)
    return replace(WHOLE, records=records)


def test_traffic_of_one_kind_has_no_parts() -> None:
    assert parts_of([WHOLE], SLO) == ()
    assert parts_of([with_parts([Part(group=3)])], SLO) == ()


def test_classes_come_first_in_the_order_of_names_then_turns_in_their_order() -> None:
    parts = [Part("rag", 0, 10), Part("chat", 1, 2), Part("chat", 1, 0), NO_PART]
    told = parts_of([with_parts(parts)], SLO)
    assert [(part.axis, part.name) for part in told] == [
        ("class", "chat"),
        ("class", "rag"),
        ("turn", "1"),
        ("turn", "3"),
        ("turn", "11"),
    ]
    assert [part.metrics.attempts for part in told] == [30, 15, 15, 15, 15]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([Part("a"), Part("b"), Part("c"), NO_PART]), min_size=1, max_size=6))
def test_each_part_is_measured_as_if_there_were_no_other(parts: list[Part]) -> None:
    seen = with_parts(parts)
    for part in parts_of([seen, seen], SLO):
        mine = tuple(one for one in seen.records if one.part.traffic_class == part.name)
        alone = replace(seen, records=mine)
        assert part.metrics == replace(measure([alone, alone], SLO), histograms={})


def test_a_turn_that_was_never_measured_is_left_out_and_a_class_that_was_not_is_told() -> None:
    seen = with_parts([Part("chat", 0, 0), Part("rag", 0, 1)])
    records = tuple(
        replace(one, phase=Phase.WARMUP, outcome=Outcome.OK) if one.part.turn == 1 else one for one in seen.records
    )
    told = parts_of([replace(seen, records=records)], SLO)
    assert [(part.axis, part.name, part.metrics.attempts) for part in told] == [
        ("class", "chat", 30),
        ("class", "rag", 0),
        ("turn", "1", 30),
    ]


def test_a_conversation_has_one_request_of_a_turn_however_late_it_is() -> None:
    late = with_parts([Part(session=0, turn=19)])
    (told,) = parts_of([late], SLO)
    assert told.metrics == replace(measure([WHOLE], SLO), histograms={})
    assert told.metrics.goodput_low is not None
