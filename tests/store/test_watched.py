"""What was read beside the load belongs to its window: it comes, goes and travels with it, and ends no run."""

from __future__ import annotations

import math
import shutil
import sqlite3
from array import array
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from llmload.analysis.judgement import judge
from llmload.domain import Ending, Observation
from llmload.errors import DataFileError, StoreError
from llmload.reporters import result_json
from llmload.samples import Distribution, Gpu, Series, ServerWork, Source, Watched
from llmload.store import watched as rows
from llmload.store.checking import check
from llmload.store.database import open_store
from llmload.store.merging import merge
from llmload.store.opening import connect
from llmload.store.snapshot import open_snapshot, write_snapshot
from llmload.verdict import Finding
from tests.cli.stored_runs import put_run, run_id_of, scenario_of
from tests.recorded_runs import CLEAN, HOSTILE
from tests.store.merged import run
from tests.store.observations import H100, START_NS, seen_beside, watched, window

RUN = CLEAN.header.run_id
TABLES = ("sample_series", "samples")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "runs.db"
    with open_store(path) as store:
        put_run(store, 1, scenario_of(), [seen_beside(window(0)), seen_beside(window(1))])
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """One run of two steps, with GPUs and a server beside each."""
    return Path(shutil.copyfile(made, tmp_path / "runs.db"))


def asked(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def counted(path: Path) -> list[int]:
    return [int(str(asked(path, f"SELECT count(*) FROM {table}")[0][0])) for table in TABLES]


def kept(tmp_path: Path, *seen: Observation) -> tuple[Observation, ...]:
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        for one in seen:
            store.remember(RUN, one)
        return store.load(RUN).observations


def with_series(*series: Series) -> Observation:
    return replace(window(), watched=Watched(series=series))


def series_of(at_ns: Sequence[int], values: Sequence[float], device: str = "") -> Series:
    return Series(Source.LOG, "output_tps", device, array("q", at_ns), array("d", values))


# ---------------------------------------------------------------- kept as it was


def test_samples_of_one_instant_come_back_in_their_order(tmp_path: Path) -> None:
    at = [START_NS - 5_000, START_NS, START_NS, START_NS, START_NS + 1_000]
    seen = with_series(series_of(at, [1.0, 3.0, 3.0, 2.0, 4.5]))
    assert kept(tmp_path, seen) == (seen,)


def test_samples_that_came_out_of_order_come_back_in_order(tmp_path: Path) -> None:
    (back,) = kept(tmp_path, with_series(series_of([START_NS + 2_000, START_NS], [2.0, 1.0])))
    assert back.watched.series == (series_of([START_NS, START_NS + 2_000], [1.0, 2.0]),)


def test_an_interrupted_window_gives_way_with_its_samples(tmp_path: Path) -> None:
    cut = seen_beside(replace(window(), ending=Ending.INTERRUPTED), seconds=40)
    again = seen_beside(window())
    assert kept(tmp_path, cut, again) == (again,)
    assert counted(tmp_path / "runs.db") == [9, 9 * 4]


def test_a_removed_run_takes_its_samples_with_it(path: Path) -> None:
    assert counted(path) == [18, 18 * 4]
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM runs")
    assert counted(path) == [0, 0]


NAUGHT = float("nan")
ABSURD = Watched(
    gpus=(replace(H100[0], memory_total_bytes=2**70), replace(H100[1], power_limit_w=math.inf), H100[0]),
    series=(
        series_of([START_NS, START_NS + 1_000, START_NS + 2_000], [NAUGHT, 1e300, 7.0]),
        series_of([START_NS], [1.0], device="x" * 5_000),
    ),
    server=ServerWork(
        START_NS,
        START_NS,
        {"output_tokens": math.inf, "prompt_tokens": 5.0},
        {"ttft_s": Distribution(1.0, NAUGHT), "itl_s": Distribution(2.0, 0.5)},
        NAUGHT,
        3.0,
    ),
    notes=("n" * 5_000, *("again",) * 500),
)


def test_what_no_figure_can_be_made_of_is_not_kept_and_ends_no_run(tmp_path: Path) -> None:
    (back,) = kept(tmp_path, replace(window(), watched=ABSURD))
    assert back.watched.gpus == (H100[0],)
    assert back.watched.series == (series_of([START_NS + 2_000], [7.0]),)
    assert back.watched.server == ServerWork(
        START_NS, START_NS, {"prompt_tokens": 5.0}, {"itl_s": Distribution(2.0, 0.5)}, None, 3.0
    )
    assert [len(note) for note in back.watched.notes[:2]] == [2_000, 5]
    assert len(back.watched.notes) == 200


def test_hostile_names_are_kept_as_text_and_still_belong_together(tmp_path: Path) -> None:
    gpu = Gpu(HOSTILE, 0, HOSTILE, HOSTILE)
    seen = replace(window(), watched=Watched((gpu,), (series_of([START_NS], [1.0], HOSTILE),), None, (HOSTILE,)))
    (back,) = kept(tmp_path, seen)
    told = HOSTILE.replace("\ud800", "\ufffd")
    assert (back.watched.gpus[0].key, back.watched.series[0].device) == (told, told)
    assert back.watched.notes == (told,)


def test_findings_are_kept_with_their_step_and_the_kind_of_their_cause(tmp_path: Path) -> None:
    found = Finding("requests", "200", "260", "Somebody else uses this server", "concurrency 8", "other_traffic")
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.finish(RUN, replace(CLEAN, findings=(found,)), "finished")
    assert asked(tmp_path / "runs.db", "SELECT step, kind FROM findings") == [("concurrency 8", "other_traffic")]


@settings(max_examples=40, deadline=None)
@given(watched, watched)
def test_whatever_a_server_and_a_driver_tell_the_run_is_judged(first: Watched, second: Watched) -> None:
    seen = [replace(window(step), watched=told) for step, told in enumerate((first, second))]
    result = judge(CLEAN.header, scenario_of(), CLEAN.target, seen, finished=None)
    assert [step.metrics.attempts for step in result.steps] == [20, 20]
    assert result_json.render(result)


# ---------------------------------------------------------------- for people who browse


def test_samples_are_listed_with_their_run_step_and_second(path: Path) -> None:
    query = "SELECT * FROM sample_list WHERE figure = 'power_w' AND device = 'GPU-1' AND step = 'concurrency 2'"
    assert asked(path, query) == [
        (run_id_of(1), "concurrency 2", 0, "gpu", "power_w", "GPU-1", float(at), 640.25 + 0.1 * (at + 1))
        for at in range(-1, 3)
    ]


def test_gpus_are_listed_with_figures_of_the_windows_alone(path: Path) -> None:
    (row, *_) = asked(path, "SELECT * FROM gpu_list WHERE step = 'concurrency 1'")
    # the window lasts a second: its samples are the second and the third one, not that from before it began
    expected = [51.5, 70 + 8192 / 2**30, 68.0, 640.4]
    assert row[:4] == (run_id_of(1), "concurrency 1", "GPU-0", "NVIDIA H100 80GB HBM3")
    assert [float(str(value)) for value in row[4:]] == pytest.approx(expected)


def test_the_list_of_gpus_of_a_run_reads_no_other_run(path: Path) -> None:
    plan = asked(path, "EXPLAIN QUERY PLAN SELECT * FROM gpu_list WHERE run = 'x'")
    assert any("sqlite_autoindex_runs_1 (run_id=?)" in str(step[3]) for step in plan), plan


# ---------------------------------------------------------------- elsewhere


def test_a_merged_run_and_a_snapshot_have_the_same(path: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.db"
    with open_store(ours) as store:
        put_run(store, 2, scenario_of(), [seen_beside(window(0))])
    assert merge(ours, path).added == (run_id_of(1),)
    assert merge(ours, path).known == (run_id_of(1),)
    write_snapshot(ours, tmp_path / "snapshot.db")
    with open_store(path) as theirs, open_store(ours) as mine, open_snapshot(tmp_path / "snapshot.db") as copied:
        expected = theirs.load(run_id_of(1)).observations
        assert expected[0].watched == seen_beside(window(0)).watched
        assert mine.load(run_id_of(1)).observations == copied.load(run_id_of(1)).observations == expected
        assert mine.load(run_id_of(2)).observations == expected[:1]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        pytest.param("UPDATE samples SET value = value + 1 WHERE at_us > 0", "samples", id="a value"),
        pytest.param("DELETE FROM samples WHERE at_us < 0", "samples", id="fewer samples"),
        pytest.param("UPDATE sample_series SET device = 'GPU-9' WHERE series = 0", "sample_series", id="a device"),
        pytest.param("UPDATE windows SET notes = '[]'", "windows", id="notes"),
    ],
)
def test_a_difference_is_found(path: Path, tmp_path: Path, statement: str, named: str) -> None:
    theirs = Path(shutil.copyfile(path, tmp_path / "theirs.db"))
    run(theirs, statement)
    with pytest.raises(DataFileError, match=rf"with other content: {named}\."):
        merge(path, theirs)


LIES = {
    "an unknown source": "UPDATE sample_series SET source = 'oracle'",
    "an unknown figure": "UPDATE sample_series SET name = '<script>'",
    "a device of a name without end": "UPDATE sample_series SET device = hex(zeroblob(3000))",
    "an infinite value": "UPDATE samples SET value = 9e999",
    "a value beyond arithmetic": "UPDATE samples SET value = 1e200",
    "an instant beyond all clocks": "UPDATE samples SET at_us = 9223372036854775807 WHERE nth = 0 AND at_us = 0",
    "GPUs that are no list": "UPDATE windows SET gpus = '{}'",
    "a GPU with a member too many": """UPDATE windows SET gpus = json_set(gpus, '$[0].more', 1)""",
    "a GPU whose name is a number": """UPDATE windows SET gpus = json_set(gpus, '$[0].name', 7)""",
    "server work that is no JSON": "UPDATE windows SET server_work = '{'",
    "server work nested without end": "UPDATE windows SET server_work = replace(hex(zeroblob(50000)), '0', '[')",
    "a count of an unknown name": """UPDATE windows SET server_work = json_set(server_work, '$.counts.joy', 1)""",
    "a count that is a text": """UPDATE windows SET server_work = replace(server_work, '80.0', '"80"')""",
    "an infinite count": """UPDATE windows SET server_work = replace(server_work, '80.0', '9e999')""",
    "notes that are a text": """UPDATE windows SET notes = '"abc"'""",
    "notes that are numbers": "UPDATE windows SET notes = '[1]'",
    "notes without end": """UPDATE windows SET notes = '["' || hex(zeroblob(1500000)) || '"]'""",
}


@pytest.mark.parametrize("statement", LIES.values(), ids=LIES)
def test_what_no_llmload_writes_is_refused_from_a_stranger_and_named_in_ones_own(
    path: Path, tmp_path: Path, statement: str
) -> None:
    run(path, statement)
    with pytest.raises(DataFileError, match=rf"run {run_id_of(1)} cannot be read .*what was read beside the load"):
        merge(tmp_path / "ours.db", path)
    assert counted(tmp_path / "ours.db") == [0, 0]
    with open_store(path) as store, pytest.raises(StoreError, match=r"window 0 of concurrency 1 is damaged"):
        store.load(run_id_of(1))
    assert len(check(path, None).faults) == 1


def test_more_series_than_any_machine_has_are_refused_before_they_are_read(path: Path, tmp_path: Path) -> None:
    numbers = "WITH RECURSIVE n(i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    statement = f"{numbers} INSERT INTO sample_series SELECT 1, i, 'gpu', 'power_w', i FROM n"
    run(path, statement, 100 + rows.MOST_SERIES)
    with pytest.raises(DataFileError, match=r"it has 20,010 rows of sample_series, and no window has more than 20,000"):
        merge(tmp_path / "ours.db", path)


def test_samples_without_their_series_are_a_fault(path: Path) -> None:
    run(path, "DELETE FROM sample_series WHERE window = 1 AND series = 0")
    assert check(path, 0).faults == ["4 rows of samples have no sample_series"]


def test_a_sound_store_says_how_many_samples_it_has(path: Path) -> None:
    checked = check(path, None)
    assert checked.faults == []
    assert {table.name: table.rows for table in checked.tables}["samples"] == 72


def test_a_sample_takes_few_bytes(tmp_path: Path) -> None:
    seen = seen_beside(window(), seconds=3_600)
    kept(tmp_path, seen)
    samples = sum(len(series.at_ns) for series in seen.watched.series)
    (size,) = asked(tmp_path / "runs.db", "SELECT sum(pgsize) FROM dbstat WHERE name = 'samples'")[0]
    assert int(str(size)) / samples < 25
