"""The library of profiles: kept with each run, found by what is asked, and foreign like the rest of a store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmload.capacity import Profile
from llmload.promises import Slo
from llmload.scenario.asked import Scenario
from llmload.store.checking import check
from llmload.store.database import Store, open_store
from llmload.store.judgement import judged
from llmload.store.merging import merge
from llmload.store.profiles import Sought, listed_profiles, profiles_beside, put_profile
from llmload.store.removal import remove
from llmload.store.snapshot import open_snapshot, write_snapshot
from llmload.store.typed_json import to_text
from tests.capacity_profiles import profile
from tests.cli.stored_runs import put_run, run_id_of, scenario_of
from tests.recorded_runs import CLEAN
from tests.store.merged import content, run
from tests.store.observations import window


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "llmload.db") as opened:
        yield opened


def of_day(day: int, **asked: Any) -> Profile:
    return profile(f"day-{day:02}", created=f"2026-03-{day:02}T08:00:00.000Z", **asked)


def remember(store: Store, *found: Profile) -> None:
    """Runs that measured these."""
    for each in found:
        header = replace(CLEAN.header, run_id=each.run_id, created=each.created)
        store.begin(header)
        store.finish(each.run_id, replace(CLEAN, header=header, profile=each), "finished")


def listed(store: Store, **sought: str) -> list[str]:
    return [each.run_id for each in listed_profiles(store, Sought(**sought)).profiles]


def put_document(store: Store, run_id: str, document: str) -> None:
    query = "UPDATE profiles SET document = ? WHERE run = (SELECT run FROM runs WHERE run_id = ?)"
    store._connection.execute(query, (document, run_id))


# ---------------------------------------------------------------- listed


def test_what_was_measured_is_read_as_it_was_newest_first(store: Store) -> None:
    found = [of_day(1), of_day(3, carries=None, gpu=None), of_day(2, gpu_count=None, output_tps=None)]
    remember(store, *found)
    assert listed_profiles(store).profiles == (found[1], found[2], found[0])


@pytest.mark.parametrize(
    ("sought", "days"),
    [
        pytest.param({}, ["day-03", "day-02", "day-01"], id="everything"),
        pytest.param({"gpu": "h100"}, ["day-03", "day-01"], id="a GPU by a part of its name"),
        pytest.param({"model": "LLAMA"}, ["day-03"], id="a model by a part of its name"),
        pytest.param({"framework": "SGLang"}, ["day-02"], id="a framework by its name"),
        pytest.param({"framework": "lang"}, [], id="no framework by a part of its name"),
        pytest.param({"gpu": "H100", "model": "qwen"}, ["day-01"], id="two at once"),
        pytest.param({"gpu": "%"}, [], id="a pattern is none"),
        pytest.param({"gpu": "' OR 1 --"}, [], id="SQL is none either"),
    ],
)
def test_a_list_is_of_what_is_sought(store: Store, sought: dict[str, str], days: list[str]) -> None:
    remember(
        store,
        of_day(1),
        of_day(2, gpu="NVIDIA L40S", framework="sglang"),
        of_day(3, gpu="NVIDIA H100 80GB HBM3", model="meta-llama/Llama-3.1-8B"),
    )
    assert listed(store, **sought) == days


def test_pages_meet_every_profile_once(store: Store) -> None:
    remember(store, *(of_day(day) for day in (3, 1, 5, 2, 4)))
    first = listed_profiles(store, limit=2)
    second = listed_profiles(store, limit=2, before=first.following)
    last = listed_profiles(store, limit=2, before=second.following)
    seen = [each.run_id for page in (first, second, last) for each in page.profiles]
    assert seen == ["day-05", "day-04", "day-03", "day-02", "day-01"]
    assert last.following is None


# ---------------------------------------------------------------- beside


OTHER_QUESTIONS: dict[str, dict[str, Any]] = {
    "another model": {"model": "qwen3-32b"},
    "another workload": {"traffic": '{"input_tokens":4096}'},
    "another SLO": {"slo": Slo(ttft_ms=500.0, tpot_ms=40.0)},
    "no load that holds": {"carries": None},
}


@pytest.mark.parametrize("asked", OTHER_QUESTIONS.values(), ids=OTHER_QUESTIONS)
def test_only_profiles_of_the_same_question_that_say_what_they_carry_are_beside(
    store: Store, asked: dict[str, Any]
) -> None:
    remember(store, of_day(1, gpu="NVIDIA L40S"), of_day(2, gpu="NVIDIA A100", **asked))
    assert [each.run_id for each in profiles_beside(store, of_day(9))] == ["day-01"]


def test_of_each_installation_the_newest_that_is_older_is_beside_and_never_its_own(store: Store) -> None:
    remember(
        store,
        of_day(1, gpu="NVIDIA L40S"),
        of_day(2, gpu="NVIDIA L40S"),
        of_day(3, settings={"max_num_seqs": "512"}),
        of_day(4),
        of_day(6, gpu="NVIDIA L40S"),
    )
    assert [each.run_id for each in profiles_beside(store, of_day(5))] == ["day-03", "day-02"]


def test_what_is_beside_is_found_within_one_index(store: Store) -> None:
    plans: list[str] = []
    store._connection.set_trace_callback(plans.append)
    profiles_beside(store, of_day(1))
    store._connection.set_trace_callback(None)
    (query,) = [each for each in plans if each.startswith("WITH newest")]
    plan = "\n".join(row["detail"] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "SEARCH profiles USING COVERING INDEX profiles_question (question=?)" in plan


def test_ten_thousand_profiles_of_one_question_do_not_slow_a_page(store: Store) -> None:
    connection = store._connection
    connection.execute("BEGIN")
    for number in range(10_000):
        run_id, gpu = f"run-{number:05}", f"GPU {number % 7}"
        created = f"2026-03-01T08:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z"
        connection.execute(
            "INSERT INTO runs (run_id, scenario, created, status, labels, environment, llmload_version, source,"
            " document_text, document_hash, resolved) VALUES (?, 'x', ?, 'finished', '{}', '{}', '', '', '', '', '')",
            (run_id, created),
        )
        (run,) = connection.execute("SELECT last_insert_rowid()").fetchone()
        put_profile(connection, run, profile(run_id, created=created, gpu=gpu))
    connection.execute("COMMIT")
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        assert len(profiles_beside(store, of_day(9, gpu="GPU 3"))) == 6
        assert len(listed_profiles(store, Sought(gpu="gpu 5"), limit=20).profiles) == 20
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.1


# ---------------------------------------------------------------- foreign


Change = Callable[[dict[str, Any]], object]

LIES: dict[str, Change] = {
    "no GPU in a replica": lambda told: told.update(gpus_per_replica=0),
    "no GPU at all": lambda told: told.update(gpu_count=0),
    "a load of nothing": lambda told: told["at_slo"].update(concurrency=0),
    "a load below nothing": lambda told: told["at_slo"].update(concurrency=-5.0),
    "a load without end": lambda told: told["at_slo"].update(concurrency=1e300),
    "more than all requests good": lambda told: told["at_slo"].update(goodput=1.5),
    "fewer tokens than none": lambda told: told["at_slo"].update(output_tps=-1.0),
    "an SLO that breaks below what it holds": lambda told: told.update(fails_at=1.0),
    "an SLO of no time": lambda told: told["slo"].update(ttft_ms=0.0),
    "a target beyond all": lambda told: told.update(goodput_target=95),
    "a saturation of more than all": lambda told: told["saturation"].update(goodput_percent=101.0),
    "a price below nothing": lambda told: told.update(usd_per_hour=-1.0),
    "a text as a number": lambda told: told.update(gpus_per_replica="1"),
    "a setting that is no text": lambda told: told.update(settings={"x": [1]}),
    "another run's profile": lambda told: told.update(run_id="day-02"),
    "a member too many": lambda told: told.update(added="<script>"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_profile_that_says_what_cannot_be_is_as_if_it_were_not_there(store: Store, lie: Change) -> None:
    remember(store, of_day(1, gpu="NVIDIA L40S"), of_day(2, gpu="NVIDIA A100"))
    told = json.loads(to_text(of_day(1, gpu="NVIDIA L40S")))
    lie(told)
    put_document(store, "day-01", json.dumps(told))
    assert listed(store) == ["day-02"]
    assert [each.run_id for each in profiles_beside(store, of_day(9))] == ["day-02"]


@pytest.mark.parametrize("document", ["", "{", "[" * 50_000, " " * 200_000], ids=["nothing", "cut", "deep", "long"])
def test_what_is_no_profile_hides_none_behind_it(store: Store, document: str) -> None:
    remember(store, of_day(1), of_day(2))
    put_document(store, "day-02", document)
    page = listed_profiles(store, limit=1)
    assert (page.profiles, page.following) == ((), "day-02")
    assert listed(store) == ["day-01"]


# ---------------------------------------------------------------- gone


def test_a_run_that_goes_on_has_no_profile_and_no_analysis(store: Store) -> None:
    header = replace(CLEAN.header, run_id="day-01")
    store.begin(header)
    store.finish("day-01", replace(CLEAN, header=header, profile=of_day(1)), "interrupted")
    store.keep_analysis("day-01", "2026-03-01T09:00:00Z", "{}")
    assert listed(store) == ["day-01"]
    store.resume("day-01")
    assert listed(store) == []
    assert store._connection.execute("SELECT count(*) FROM analyses").fetchone()[0] == 0


def test_the_view_for_people_tells_the_same(store: Store) -> None:
    remember(store, of_day(1), of_day(2, carries=None, gpu=None))
    rows = [dict(row) for row in store._connection.execute("SELECT * FROM profile_list")]
    assert [row["run"] for row in rows] == ["day-02", "day-01"]
    assert (rows[1]["gpu"], rows[1]["max concurrency at SLO"], rows[1]["goodput (%)"]) == ("NVIDIA H100", 120.0, 98.0)
    assert (rows[0]["gpu"], rows[0]["max concurrency at SLO"]) == (None, None)


# ---------------------------------------------------------------- with runs of their own


def wish(gpu: str) -> Scenario:
    """For 500 at once, on a server of one such GPU."""
    asked = f"peak_concurrency: 500, gpu: {{model: {gpu}, count: 1, usd_per_hour: 2.5}}, prices: {{L40S: 1}}"
    return scenario_of(more=f"  recommend: {{{asked}}}\n")


def measured(path: Path, *runs: tuple[int, str]) -> Path:
    """A store with runs that were measured on these GPUs, each of which carries 2 at once."""
    with open_store(path) as store:
        for number, gpu in runs:
            run_id = put_run(store, number, wish(gpu), [window(0, requests=300), window(1, requests=300)])
            store.finish(run_id, judged(store, run_id, ending="finished"), "finished")
    return path


def others_of(path: Path, number: int) -> list[str]:
    """The GPUs that the kept result of a run tells beside its own."""
    with open_store(path) as store:
        kept = store.kept(run_id_of(number))
    assert kept is not None
    assert kept.recommendation is not None
    return [other.gpu_model for other in kept.recommendation.alternatives]


def test_a_run_is_told_with_the_installations_that_were_measured_before_it(tmp_path: Path) -> None:
    path = measured(tmp_path / "runs.db", (1, "L40S"), (2, "H100"), (3, "H100"))
    assert [others_of(path, number) for number in (1, 2, 3)] == [[], ["L40S"], ["L40S"]]
    with open_store(path) as store:
        again = judged(store, run_id_of(2))
        assert again == store.kept(run_id_of(2))
    assert again.recommendation is not None
    assert again.recommendation.hints[-1].text == (
        "300 × L40S would do the same for 219,000 USD a month instead of 547,500"
    )


def test_a_check_takes_no_change_of_the_library_for_damage(tmp_path: Path) -> None:
    path = measured(tmp_path / "runs.db", (1, "L40S"), (2, "H100"))
    remove(path, [run_id_of(1)])
    checked = check(path, None)
    assert (checked.judged, checked.faults, checked.notices) == (1, [], [])
    assert others_of(path, 2) == ["L40S"]  # what was measured stays measured


def test_a_merge_judges_profiles_anew_beside_those_that_are_here(tmp_path: Path) -> None:
    ours = measured(tmp_path / "ours.db", (1, "L40S"))
    theirs = measured(tmp_path / "theirs.db", (1, "L40S"), (2, "H100"))
    run(theirs, "UPDATE profiles SET document = '{}', question = 'x', max_concurrency = 1e6")
    assert merge(ours, theirs).added == (run_id_of(2),)
    assert others_of(ours, 2) == ["L40S"]
    with open_store(ours) as store:
        found = listed_profiles(store).profiles
    assert [(each.gpu_model, each.at_slo and each.at_slo.concurrency) for each in found] == [("H100", 2), ("L40S", 2)]
    before = content(ours)
    merge(ours, theirs)
    assert content(ours) == before


def test_a_snapshot_has_the_profiles_of_its_runs_only(tmp_path: Path) -> None:
    path = measured(tmp_path / "runs.db", (1, "L40S"), (2, "H100"))
    write_snapshot(path, tmp_path / "snapshot.db", [run_id_of(2)])
    with open_snapshot(tmp_path / "snapshot.db") as store:
        assert [each.gpu_model for each in listed_profiles(store).profiles] == ["H100"]
