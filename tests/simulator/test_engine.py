"""The model of continuous batching, without a clock: every figure can be worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.simulator.engine import Batch, Engine, Generation
from llmload.simulator.profiles import Machine

MS = 1_000_000
MACHINE = Machine(
    "nothing",
    prefill_tokens_per_s=1000.0,  # one token a millisecond
    decode_base_ms=10.0,
    decode_per_seq_ms=1.0,
    max_num_seqs=4,
    kv_cache_tokens=10_000,
    max_model_len=5_000,
    prefill_budget_tokens=512,
)


def machine(**figures: float) -> Machine:
    from dataclasses import replace

    return replace(MACHINE, **figures)


def generation(at_ms: float = 0, prompt: int = 100, output: int = 3, blocks: tuple[bytes, ...] = ()) -> Generation:
    return Generation(round(at_ms * MS), prompt, output, blocks)


def run(engine: Engine, *generations: Generation) -> list[Batch]:
    """Submit everything at its arrival, and step to the end."""
    batches, coming = [], sorted(generations, key=lambda one: one.arrival_ns)
    while coming or engine.due_ns is not None:
        if coming and (engine.due_ns is None or coming[0].arrival_ns <= engine.due_ns):
            engine.submit(coming.pop(0))
        else:
            batches.append(engine.finish_step())
    return batches


def test_a_lone_request_waits_for_one_step_with_its_prompt_and_then_for_plain_decode_steps():
    alone = generation(at_ms=5, prompt=100, output=3)
    ends = [batch.ended_ns / MS for batch in run(Engine(MACHINE), alone)]
    assert ends == [5 + 10 + 100, 126, 137]
    assert (alone.first_ns, alone.generated) == (115 * MS, 3)


def test_a_decode_step_costs_more_with_every_request_in_the_batch():
    batches = run(Engine(MACHINE), *(generation(output=10) for _ in range(4)))
    full = [batch for batch in batches if batch.decoded == 4]
    assert len(full) == 8  # the first to come is one token ahead
    assert {batch.ended_ns - batch.began_ns for batch in full} == {14 * MS}


def test_a_new_prompt_slows_the_step_of_those_who_decode():
    first, second = generation(output=4), generation(at_ms=111, prompt=50, output=1)
    batches = run(Engine(MACHINE), first, second)
    assert [(batch.ended_ns - batch.began_ns) / MS for batch in batches] == [110, 11, 10 + 1 + 50, 11]


def test_a_prompt_over_the_budget_takes_several_steps():
    long = generation(prompt=1100, output=1)
    batches = run(Engine(MACHINE), long)
    assert [(batch.ended_ns - batch.began_ns) / MS for batch in batches] == [522, 522, 86]
    assert [len(batch.advanced) for batch in batches] == [0, 0, 1]


def test_with_one_seat_the_second_request_waits_for_the_whole_first():
    first, second = generation(), generation()
    run(Engine(machine(max_num_seqs=1)), first, second)
    assert (first.admitted_ns, second.admitted_ns) == (0, (110 + 11 + 11) * MS)


def test_nobody_overtakes_a_head_of_the_queue_that_does_not_fit_into_the_kv_cache():
    engine = Engine(machine(kv_cache_tokens=1000))
    big, bigger, small = generation(prompt=600), generation(prompt=700), generation(prompt=10)
    for one in (big, bigger, small):
        engine.submit(one)
    engine.finish_step()
    assert (engine.running, engine.waiting, engine.kv_cache_usage) == (1, 2, 0.603)
    run(engine)
    assert big.admitted_ns < bigger.admitted_ns <= small.admitted_ns


def test_a_request_that_comes_during_a_step_waits_for_its_end():
    first, late = generation(output=5), generation(at_ms=1)
    run(Engine(MACHINE), first, late)
    assert late.admitted_ns == first.first_ns == 110 * MS


def test_a_step_delivered_late_does_not_admit_who_came_after_its_end():
    engine = Engine(MACHINE)
    engine.submit(generation(output=2))
    late = generation(at_ms=115)
    engine.submit(late)  # the clock stands at 115 ms, and the step of 110 ms has not been delivered yet
    engine.finish_step()
    assert late.admitted_ns is None
    engine.finish_step()
    assert late.admitted_ns == 121 * MS


def test_an_idle_engine_owes_nothing():
    engine = Engine(MACHINE)
    run(engine, generation())
    assert (engine.due_ns, engine.running, engine.waiting, engine.reserved_tokens) == (None, 0, 0, 0)
    with pytest.raises(ValueError, match="no step"):
        engine.finish_step()


@pytest.mark.parametrize(
    ("prompt", "cached"),
    [
        pytest.param(64, 48, id="the last prompt token is always computed, and its block with it"),
        pytest.param(65, 64, id="whole blocks before it are cached"),
        pytest.param(16, 0, id="a prompt of one block has nothing to gain"),
    ],
)
def test_a_repeated_prompt_is_taken_from_the_cache_in_whole_blocks(prompt, cached):
    engine = Engine(MACHINE)
    blocks = tuple(bytes([number]) for number in range(prompt // 16))
    first, again = generation(prompt=prompt, blocks=blocks), generation(at_ms=900, prompt=prompt, blocks=blocks)
    run(engine, first, again)
    assert (first.cached_tokens, again.cached_tokens) == (0, cached)
    assert again.first_ns == again.arrival_ns + (10 + prompt - cached) * MS
    assert (engine.counters.prefix_queries, engine.counters.prefix_hits) == (2 * prompt, cached)


def test_only_the_common_beginning_counts():
    engine = Engine(MACHINE)
    run(engine, generation(blocks=(b"a", b"b", b"c")))
    other = generation(at_ms=900, blocks=(b"a", b"x", b"c"))
    run(engine, other)
    assert other.cached_tokens == 16


def test_the_least_recently_used_blocks_leave_a_full_cache():
    engine = Engine(machine(kv_cache_tokens=120, max_num_seqs=1))  # seven blocks
    old, new = tuple(b"o%d" % n for n in range(5)), tuple(b"n%d" % n for n in range(5))
    run(engine, generation(blocks=old), generation(at_ms=500, blocks=new))
    again = generation(at_ms=1000, blocks=old)
    run(engine, again)
    assert again.cached_tokens == 0


def test_without_a_prefix_cache_nothing_is_cached_and_nothing_counted():
    engine = Engine(MACHINE, has_prefix_cache=False)
    run(engine, generation(blocks=(b"a",)))
    again = generation(at_ms=900, blocks=(b"a",))
    run(engine, again)
    assert (again.cached_tokens, engine.counters.prefix_queries) == (0, 0)


def test_a_cancelled_request_frees_its_seat_and_its_room():
    engine = Engine(machine(max_num_seqs=1))
    leaves, queued, stays = generation(), generation(), generation()
    for one in (leaves, queued, stays):
        engine.submit(one)
    engine.cancel(leaves)
    engine.cancel(queued)
    run(engine)
    assert (leaves.generated, queued.generated, stays.generated) == (0, 0, 3)
    assert stays.admitted_ns == 110 * MS
    assert engine.reserved_tokens == 0


ARRIVALS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 900), st.integers(1, 30)), min_size=1, max_size=25)


@given(ARRIVALS)
def test_every_request_gets_exactly_its_tokens_and_no_limit_is_ever_passed(arrivals):
    limited = machine(max_num_seqs=3, kv_cache_tokens=2_000)
    engine = Engine(limited)
    generations = [generation(at, prompt, output) for at, prompt, output in arrivals]
    coming, ends, tokens = sorted(generations, key=lambda one: one.arrival_ns), [], 0
    while coming or engine.due_ns is not None:
        if coming and (engine.due_ns is None or coming[0].arrival_ns <= engine.due_ns):
            engine.submit(coming.pop(0))
        else:
            batch = engine.finish_step()
            ends.append(batch.ended_ns)
            tokens += len(batch.advanced)
        assert engine.running <= 3
        assert 0 <= engine.kv_cache_usage <= 1
    assert all(one.generated == one.output_tokens for one in generations)
    assert tokens == engine.counters.generation_tokens == sum(one.output_tokens for one in generations)
    assert engine.counters.prompt_tokens == sum(one.prompt_tokens for one in generations)
    assert ends == sorted(set(ends))
    assert all(one.arrival_ns <= one.admitted_ns < one.first_ns for one in generations)


@given(ARRIVALS)
def test_the_same_arrivals_give_the_same_instants(arrivals):
    def instants() -> list[tuple[int, int]]:
        generations = [generation(*arrival) for arrival in arrivals]
        ends = [batch.ended_ns for batch in run(Engine(MACHINE), *generations)]
        return [(one.admitted_ns, one.first_ns) for one in generations] + [(end, 0) for end in ends]

    assert instants() == instants()


@given(ARRIVALS, st.integers(1, 10**12))
def test_shifting_every_arrival_shifts_everything(arrivals, shift_ns):
    plain, shifted = [generation(*one) for one in arrivals], [generation(*one) for one in arrivals]
    for one in shifted:
        one.arrival_ns += shift_ns
    run(Engine(MACHINE), *plain)
    run(Engine(MACHINE), *shifted)
    assert [one.first_ns + shift_ns for one in plain] == [one.first_ns for one in shifted]
