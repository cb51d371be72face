"""What is saved is what is loaded."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.judgement import judge
from llmload.domain import Ending, Observation, Outcome
from llmload.errors import StoreError
from llmload.planned import NO_PART, Part
from llmload.store.database import Store, open_store
from llmload.store.packing import pack, unpack
from tests.analysis.builders import GOODPUT_95, scenario
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE
from tests.store.observations import START_NS, observations, record, window


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_packed_numbers_come_back(numbers: list[int]) -> None:
    assert unpack(pack(numbers)).tolist() == numbers
    assert unpack(pack(numbers), most=len(numbers)).tolist() == numbers


def test_no_more_numbers_are_unpacked_than_there_may_be() -> None:
    packed = pack(range(1000))
    for wrong, most in ((packed, 999), (packed[:-1], 1000)):
        with pytest.raises(ValueError, match="cut short, or has more than"):
            unpack(wrong, most)


def test_a_block_that_claims_more_events_than_memory_holds_is_damaged(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, window(requests=2))
        with closing(sqlite3.connect(store.path)) as connection, connection:
            claim = pack([2**40, 2**40, *[0] * 10])
            connection.execute("UPDATE request_gaps SET details = ?", (claim,))
        with pytest.raises(StoreError, match="is damaged"):
            store.load(CLEAN.header.run_id)


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("store") / "runs.db") as store:
        yield store


@settings(max_examples=60, deadline=None)
@given(st.lists(observations(), max_size=3, unique_by=lambda seen: seen.look.number))
def test_save_then_load_is_identity(large_store: Store, seen: list[Observation]) -> None:
    header = replace(CLEAN.header, run_id=f"run-{len(large_store.list_runs())}")
    large_store.begin(header)
    for one in seen:
        large_store.remember(header.run_id, one)
    loaded = large_store.load(header.run_id)
    assert loaded.observations == tuple(sorted(seen, key=lambda one: one.look.number))


def test_more_requests_than_fit_one_block_come_back(tmp_path: Path) -> None:
    seen = window(requests=1300)
    silent = tuple(replace(one, event_ns=array("q"), answer_ns=None) if one.seq % 3 else one for one in seen.records)
    seen = replace(seen, records=silent)
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, seen)
        assert store.load(CLEAN.header.run_id).observations == (seen,)


def test_windows_between_others_come_and_go_without_touching_them(tmp_path: Path) -> None:
    first, second, third = (window(step=step) for step in range(3))
    sparse = replace(second, records=tuple(replace(one, seq=10 + 3 * one.seq) for one in second.records))
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        for seen in (first, replace(sparse, ending=Ending.INTERRUPTED), window(step=4, requests=0), third):
            store.remember(CLEAN.header.run_id, seen)
        store.remember(CLEAN.header.run_id, sparse)
        assert store.load(CLEAN.header.run_id).observations == (first, sparse, third, window(step=4, requests=0))


def test_what_goes_with_a_run_goes_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    seen = window()
    records = tuple(replace(one, part=Part("chat", 3, 0, 1)) for one in seen.records)
    with open_store(path) as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, replace(seen, records=records))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM runs")
        parts = [f"request_{name}" for name in ("kinds", "texts", "gaps", "sessions")]
        for table in ("steps", "windows", "requests", *parts):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_counts_that_differ_within_a_kind_or_were_never_told_come_back(tmp_path: Path) -> None:
    told = [(500, 20, 0), (500, 20, 0), (500, None, 0), (None, None, None), (0, 21, None), (500, 20, 16)]
    records = tuple(
        replace(record(seq), input_tokens=inputs, output_tokens=outputs, cached_tokens=cached)
        for seq, (inputs, outputs, cached) in enumerate(told)
    )
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, replace(window(), records=records))
        assert store.load(CLEAN.header.run_id).observations[0].records == records
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        shown = connection.execute('SELECT "input tokens", "output tokens" FROM request_list ORDER BY seq').fetchall()
    assert shown == [(inputs, outputs) for inputs, outputs, _ in told]


def test_classes_conversations_and_groups_come_back_and_are_shown(tmp_path: Path) -> None:
    parts = (NO_PART, Part("chat"), Part(None, 0, 0), Part(None, 0, 1), Part(None, 7, 0), Part("rag", 2, 1, 5))
    records = tuple(replace(record(seq), part=part) for seq, part in enumerate(parts))
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, replace(window(), records=records))
        assert store.load(CLEAN.header.run_id).observations[0].records == records
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        query = 'SELECT "class", session, turn, "prefix group" FROM request_list ORDER BY seq'
        shown = connection.execute(query).fetchall()
    assert shown == [
        (None, None, None, None),
        ("chat", None, None, None),
        (None, 0, 1, None),
        (None, 0, 2, None),
        (None, 7, 1, None),
        ("rag", 2, 2, 5),
    ]


def test_records_come_back_in_order_of_start(tmp_path: Path) -> None:
    seen = window()
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, replace(seen, records=tuple(reversed(seen.records))))
        assert store.load(CLEAN.header.run_id).observations == (seen,)


def test_header_and_facts_come_back(tmp_path: Path) -> None:
    assert CLEAN.target is not None
    run_id, facts = CLEAN.header.run_id, replace(CLEAN.target, actual={"max_num_seqs": 128, "quantization": None})
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        assert store.load(run_id).facts is None
        store.describe(run_id, facts)
        loaded = store.load(run_id)
    assert (loaded.header, loaded.facts, loaded.status, loaded.finished) == (CLEAN.header, facts, "running", None)


def test_caveats_of_the_run_come_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.finish(CLEAN.header.run_id, replace(CLEAN, caveats=TROUBLE.caveats), "finished")
        assert store.load(CLEAN.header.run_id).caveats == TROUBLE.caveats


def test_a_stored_run_has_the_timeline_and_the_knee_that_it_had(tmp_path: Path) -> None:
    """Two climbs of a ladder lie in the store step by step, and a clock of nanoseconds in microseconds."""
    asked = scenario(GOODPUT_95, concurrency=(1, 2))
    climbs = [window(step, repeat, requests=200) for repeat in range(2) for step in range(2)]
    lasting = [
        replace(one, look=replace(one.look, repeat=one.look.number), start_ns=START_NS + at * 10**10)
        for at, one in enumerate(climbs)
    ]
    seen = [replace(one, end_ns=one.start_ns + 3 * 10**9) for one in lasting]
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        for one in seen:
            store.remember(CLEAN.header.run_id, one)
        stored = store.load(CLEAN.header.run_id)
    assert [one.look for one in stored.observations] != [one.look for one in seen]
    before, after = (
        judge(CLEAN.header, asked, CLEAN.target, each, finished=None) for each in (seen, stored.observations)
    )
    assert before.timeline is not None
    assert before.knee is not None
    assert (after.timeline, after.knee) == (before.timeline, before.knee)
    assert [span.start_s for span in before.timeline.spans] == [0.0, 10.0, 20.0, 30.0]


def test_hostile_text_is_stored_and_does_no_harm(tmp_path: Path) -> None:
    assert TROUBLE.target is not None
    hostile = replace(
        record(0),
        outcome=Outcome.STREAM_ERROR,
        error_text=HOSTILE,
        error_type=HOSTILE,
        text=HOSTILE,
        finish_reason="\0",
        part=Part(HOSTILE),
    )
    with open_store(tmp_path / "runs.db") as store:
        store.begin(replace(TROUBLE.header, source=HOSTILE))
        store.describe(TROUBLE.header.run_id, TROUBLE.target)
        store.remember(TROUBLE.header.run_id, replace(window(), records=(hostile,)))
        store.finish(TROUBLE.header.run_id, TROUBLE, "finished")
        loaded = store.load(TROUBLE.header.run_id)
    told = loaded.observations[0].records[0]
    assert told.error_text == told.error_type == told.text == HOSTILE.replace("\ud800", "?")
    assert told.finish_reason == "\0"
    assert told.part == Part(HOSTILE.replace("\ud800", "?"))


def test_a_server_that_claims_absurd_numbers_of_tokens_is_stored_with_the_largest(tmp_path: Path) -> None:
    greedy = replace(record(0), output_tokens=2**64 - 1, input_tokens=2**63 - 1)
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, replace(window(), records=(greedy,)))
        told = store.load(CLEAN.header.run_id).observations[0].records[0]
    assert told.output_tokens == told.input_tokens == 2**63 - 1


def test_a_damaged_window_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, window(step=2, look=1))
        connection = sqlite3.connect(path)
        connection.execute("UPDATE request_gaps SET gaps_us = x'00'")
        connection.commit()
        connection.close()
        with pytest.raises(StoreError, match=r"window 1 of concurrency 4 is damaged.*Measure again"):
            store.load(CLEAN.header.run_id)
