"""Where a run stands without its requests, the runs beside it, and the run that a wrong id may stand for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import StoreError
from llmload.samples import GpuNow
from llmload.store.database import Store, open_store
from llmload.store.states import caveats_by_place, gate_words, meant_by, neighbours, state_of
from tests.recorded_runs import CLEAN, TROUBLE
from tests.store.observations import GPUS_NOW, PROGRESS, window

RUN = CLEAN.header.run_id
DAYS = ("20260301-080000-0000000a", "20260302-080000-0000000b", "20260303-080000-0000000c")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.db") as opened:
        yield opened


def change(store: Store, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(statement, values)


def stored(store: Store, run_id: str, day: int, status: str, scenario: str = "quickstart") -> None:
    header = replace(CLEAN.header, run_id=run_id, scenario=scenario, created=f"2026-03-0{day}T08:00:00.000Z")
    store.begin(header)
    store.finish(run_id, replace(CLEAN, header=header), status)


def test_a_run_that_goes_on_has_its_progress_and_what_it_stored_so_far(store: Store) -> None:
    store.begin(CLEAN.header)
    begun = state_of(store, RUN)
    assert begun is not None
    assert (begun.status, begun.progress, begun.requests, begun.measured) == ("running", None, 0, 0)
    store.remember(RUN, window(), CLEAN.steps[0].metrics)
    store.progress(RUN, PROGRESS)
    going = state_of(store, RUN)
    assert going is not None
    assert going.progress == PROGRESS
    assert (going.requests, going.measured, going.attempts) == (
        len(window().records),
        1,
        CLEAN.steps[0].metrics.attempts,
    )
    assert going.seen_s is not None


def shown_gpus(store: Store) -> tuple[GpuNow, ...]:
    going = state_of(store, RUN)
    assert going is not None
    assert going.progress is not None
    return going.progress.gpus


def test_what_gpus_tell_now_is_told_and_overwritten(store: Store) -> None:
    store.begin(CLEAN.header)
    store.progress(RUN, replace(PROGRESS, gpus=GPUS_NOW))
    assert shown_gpus(store) == GPUS_NOW
    store.progress(RUN, replace(PROGRESS, gpus=tuple(replace(GPUS_NOW[0], index=index) for index in range(1_000))))
    assert len(shown_gpus(store)) == 64
    store.progress(RUN, PROGRESS)
    assert shown_gpus(store) == ()


@pytest.mark.parametrize(
    "gpus",
    [
        "",
        "{}",
        "[1]",
        '[{"index": 0}]',
        "[" * 5_000,
        '"' + "x" * 200_000 + '"',
        '[{"index":0,"name":"x","utilisation":NaN,"memory_bytes":null,"memory_total_bytes":null,"temperature_c":null,'
        '"power_w":null}]',
    ],
    ids=["nothing", "an object", "numbers", "members missing", "nested", "long", "no number"],
)
def test_gpus_that_no_llmload_tells_so_are_not_shown_and_the_run_is(store: Store, gpus: str) -> None:
    store.begin(CLEAN.header)
    store.progress(RUN, PROGRESS)
    change(store, "UPDATE progress SET gpus = ?", gpus)
    assert shown_gpus(store) == ()


def test_a_run_whose_process_died_is_aborted_and_nothing_is_written(store: Store) -> None:
    store.begin(CLEAN.header)
    change(store, "UPDATE progress SET process_started = 'long ago', seen_s = 1.0")
    state = state_of(store, RUN)
    assert state is not None
    assert (state.status, state.is_running, state.progress, state.seen_s) == ("aborted", False, None, 1.0)
    with store.reading() as connection:
        assert connection.execute("SELECT status FROM runs").fetchone()[0] == "running"


def test_a_process_that_has_just_spoken_is_not_looked_up(store: Store) -> None:
    store.begin(CLEAN.header)
    change(store, "UPDATE progress SET process_started = 'long ago'")
    state = state_of(store, RUN)
    assert state is not None
    assert state.is_running


def test_a_run_that_ended_has_the_words_that_it_was_judged_by(store: Store) -> None:
    store.begin(TROUBLE.header)
    store.finish(TROUBLE.header.run_id, TROUBLE, "finished")
    words = gate_words(store, TROUBLE.header.run_id)
    assert [each.status for each in words] == [each.status.value for each in TROUBLE.verdicts]
    caveats = caveats_by_place(store, TROUBLE.header.run_id)
    assert len(caveats) == len(TROUBLE.caveats) + sum(len(step.caveats) for step in TROUBLE.steps)
    assert caveats[0] == (None, TROUBLE.caveats[0])


def test_neighbours_are_runs_of_the_same_scenario_by_time(store: Store) -> None:
    for day, (run_id, status) in enumerate(zip(DAYS, ("finished", "failed", "finished"), strict=True), 1):
        stored(store, run_id, day, status)
    stored(store, "20260302-090000-other", 2, "finished", "another")
    middle, last, first = (state_of(store, DAYS[place]) for place in (1, 2, 0))
    assert middle is not None
    assert last is not None
    assert first is not None
    assert neighbours(store, last).earlier == DAYS[1]
    assert neighbours(store, last).comparable == DAYS[0]
    assert neighbours(store, middle).later == DAYS[2]
    assert (neighbours(store, first).earlier, neighbours(store, first).comparable) == (None, None)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        pytest.param("20260302", DAYS[1], id="the beginning of one"),
        pytest.param("2026", None, id="the beginning of several"),
        pytest.param(f"{DAYS[1]}.", DAYS[1], id="one with a full stop behind it"),
        pytest.param("nobody", None, id="nothing like any"),
        pytest.param("", None, id="nothing"),
        pytest.param("%' OR 1=1 --", None, id="SQL"),
    ],
)
def test_an_id_that_is_not_there_may_stand_for_one_that_is(store: Store, asked: str, meant: str | None) -> None:
    for day, run_id in enumerate(DAYS, 1):
        stored(store, run_id, day, "finished")
    assert meant_by(store, asked) == meant


def test_a_row_that_no_llmload_wrote_is_told_as_such(store: Store) -> None:
    store.begin(CLEAN.header)
    change(store, "UPDATE runs SET labels = '[]'")
    change(store, "UPDATE runs SET framework = 'vllm', framework_config = 'no json'")
    with pytest.raises(StoreError, match="cannot be read"):
        state_of(store, RUN)
    assert state_of(store, "nobody") is None
