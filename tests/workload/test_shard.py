"""Shards: whatever the number of workers and the width of a round, each request is exactly one worker's."""

from __future__ import annotations

from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.workload.shard import WHOLE, Shard

OF = st.integers(1, 40)
WIDTH = st.integers(1, 60)
REQUESTS = st.integers(0, 500)


def indices_below(shard: Shard, requests: int) -> list[int]:
    return list(takewhile(lambda index: index < requests, shard.indices()))


@given(OF, WIDTH, REQUESTS)
def test_shards_are_disjoint_and_complete(of: int, width: int, requests: int) -> None:
    found = [index for number in range(of) for index in indices_below(Shard(number, of, width), requests)]
    assert sorted(found) == list(range(requests))


@given(OF, WIDTH, REQUESTS)
def test_a_shard_counts_what_it_enumerates(of: int, width: int, requests: int) -> None:
    for number in range(of):
        shard = Shard(number, of, width)
        assert shard.count(requests) == len(indices_below(shard, requests))


@given(OF, WIDTH, st.integers(0, 20))
def test_whole_rounds_are_shared_out_as_evenly_as_the_slots_of_a_round(of: int, width: int, rounds: int) -> None:
    shares = [Shard(number, of, width).count(rounds * width) for number in range(of)]
    slots = [len(range(number, width, of)) for number in range(of)]
    assert shares == [rounds * each for each in slots]
    assert max(slots) - min(slots) <= 1


@given(OF, WIDTH)
def test_indices_only_rise(of: int, width: int) -> None:
    first = list(islice(Shard(0, of, width).indices(), 100))
    assert first == sorted(set(first))


def test_one_worker_has_everything() -> None:
    assert list(islice(WHOLE.indices(), 5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_in_open_loop_shards_take_turns(number: int) -> None:
    assert list(islice(Shard(number, 3, 3).indices(), 3)) == [number, number + 3, number + 6]
