"""What is kept of a run is what was judged, and whoever changes it gets the run judged again, never a broken page."""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.domain import RunResult
from llmload.reporters import result_json
from llmload.reporters.texts import Language, texts_in
from llmload.site.asking import Asked
from llmload.site.links import LiveLinks
from llmload.site.pages import run as run_page
from llmload.store.database import Store, open_store
from llmload.store.judgement import decided, judged
from llmload.store.typed_json import of_text, to_text
from tests.bench.site_pool import make_pool
from tests.recorded_comparisons import ADVISED, REGRESSED
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TALKS, TROUBLE

RECORDED = (CLEAN, TROUBLE, REGRESSED, ADVISED, FROM_LOADTEST, TALKS)
IDS = ("clean", "trouble", "regressed", "advised", "imported", "talks")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with requests; the last one has all figures of its own, the others some that were added to it."""
    path = tmp_path_factory.mktemp("kept") / "runs.db"
    make_pool(path, scenarios=2)
    return path


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Store]:
    """A store with one run."""
    with open_store(tmp_path / "one.db") as store:
        store.begin(CLEAN.header)
        assert CLEAN.target is not None
        store.describe(CLEAN.header.run_id, CLEAN.target)
        store.finish(CLEAN.header.run_id, CLEAN, "finished")
        yield store


@pytest.mark.parametrize("run", RECORDED, ids=IDS)
def test_a_kept_result_comes_back_as_it_was(run: RunResult) -> None:
    kept = of_text(to_text(run), RunResult)
    assert result_json.render(kept) == result_json.render(run)
    assert repr(kept) == repr(run).replace(r"\ud800", "�")  # in the same order, too


def test_what_was_decided_is_what_judging_again_says(measured: Path) -> None:
    with open_store(measured) as store:
        run_ids = [run.run_id for run in store.list_runs() if run.scenario.endswith("01")]
        assert len(run_ids) == 3
        for run_id in run_ids:
            kept = store.kept(run_id)
            assert kept is not None
            assert result_json.render(decided(store, run_id)) == result_json.render(judged(store, run_id))
            assert kept == judged(store, run_id)


def test_a_kept_run_of_six_steps_takes_less_than_16_kB(measured: Path) -> None:
    with closing(sqlite3.connect(measured)) as connection:
        query = "SELECT max(length(document)) FROM results JOIN runs USING (run) WHERE scenario LIKE '%01'"
        (longest,) = connection.execute(query).fetchone()
    assert longest < 16_000


def test_a_run_that_ends_again_is_kept_as_it_ended_last(one: Store) -> None:
    run_id = CLEAN.header.run_id
    one.finish(run_id, replace(CLEAN, because="the second end"), "finished")
    assert decided(one, run_id).because == "the second end"


def test_a_run_that_goes_on_has_nothing_kept(one: Store) -> None:
    header = replace(CLEAN.header, run_id="goes-on")
    one.begin(header)
    assert one.kept("goes-on") is None


Change = Callable[[dict[str, Any]], object]

LIES: dict[str, Change] = {
    "a number as text": lambda told: told["steps"][0]["metrics"].update(attempts="200"),
    "a text as a number": lambda told: told.update(because=7),
    "truth as a number": lambda told: told.update(exit_code=True),
    "a share where a count belongs": lambda told: told["steps"][0]["metrics"].update(ok=1.5),
    "no number": lambda told: told["steps"][0]["metrics"].update(goodput=float("nan")),
    "an infinite load": lambda told: told["steps"][0]["step"].update(value=float("inf")),
    "a count beyond 64 bits": lambda told: told["steps"][0]["metrics"].update(cancelled=2**70),
    "a count of a thousand digits": lambda told: told.update(exit_code=10**1000),
    "an unknown verdict": lambda told: told.update(status="splendid"),
    "an unknown axis": lambda told: told["steps"][0]["step"].update(axis="moons"),
    "an unknown metric in a gate": lambda told: told["steps"][1]["verdicts"][0]["gate"].update(subject="joy"),
    "a negative latency": lambda told: told["steps"][0]["metrics"]["latency"]["ttft"].update(p99_ms=-1),
    "a load of nothing": lambda told: told["steps"][0]["step"].update(value=0),
    "a member that is missing": lambda told: told.pop("because"),
    "a member too many": lambda told: told.update(added="<script>"),
    "a list where there is a table": lambda told: told["steps"][0].update(metrics=[]),
    "a timeline with one instant too few": lambda told: told["timeline"]["at_s"].pop(),
    "a histogram with one edge too few": lambda told: told["steps"][0]["metrics"]["histograms"]["ttft"][
        "bounds_ms"
    ].pop(),
    "a device with one sample too few": lambda told: told["gpus"][0]["power_w"].pop(),
    "a device with one clock too few": lambda told: told["gpus"][0]["sm_clock_mhz"].pop(),
    "a device that is busier than can be": lambda told: told["gpus"][0]["utilisation"].__setitem__(0, 1.5),
    "a device that is slowed down for more than all the time": lambda told: told["gpus"][0].update(throttled_share=1.5),
    "a truth that is a number": lambda told: told["gpus"][0]["throttled"].__setitem__(0, 1),
    "a server with one sample too few": lambda told: told["server"]["waiting"].pop(),
    "a server whose cache is more than full": lambda told: told["server"]["kv_cache_share"].__setitem__(0, 2.0),
    "a server that speaks by an unknown source": lambda told: told["server"].update(source="oracle"),
    "figures of GPUs below nothing": lambda told: told["steps"][0]["gpu"].update(power_w=-1.0),
    "a share of GPUs above all": lambda told: told["steps"][0]["gpu"].update(throttled=1.1),
    "a server that hits more than it asks for": lambda told: told["steps"][0]["server"].update(
        prefix_cache_hit_share=1.1
    ),
    "a check of an unknown figure": lambda told: told["steps"][0]["checks"][0].update(figure="joy"),
    "a check of an unknown unit": lambda told: told["steps"][0]["checks"][0].update(unit="parsec"),
    "a check of no number": lambda told: told["steps"][0]["checks"][0].update(client=float("inf")),
    "a profile that carries nothing": lambda told: told["profile"]["at_slo"].update(concurrency=0.0),
    "a profile of no GPU a replica": lambda told: told["profile"].update(gpus_per_replica=0),
    "a peak of nothing": lambda told: told["recommendation"]["workload"].update(peak_concurrency=0),
    "a load below nothing": lambda told: told["recommendation"]["test_results"]["concurrency_results"][0].update(
        concurrency=-1.0
    ),
    "a saturation at nothing": lambda told: told["recommendation"]["test_results"]["saturation_point"].update(
        concurrency=0.0
    ),
    "more than all requests good": lambda told: told["recommendation"]["advice"].update(estimated_goodput=100.5),
    "an interval upside down": lambda told: told["recommendation"]["advice"]["intervals"].update(
        recommended_count={"low": 6.0, "high": 5.0}
    ),
    "no GPU at all": lambda told: told["recommendation"]["advice"].update(recommended_count=0),
    "a load that the GPUs here surely hold at nothing": lambda told: told["recommendation"]["current_infra"].update(
        max_concurrency_at_slo=0.0
    ),
    "another way without a GPU": lambda told: told["recommendation"]["alternatives"][0].update(count=0),
    "another way that pays": lambda told: told["recommendation"]["alternatives"][0].update(
        estimated_monthly_cost_usd=-1.0
    ),
    "a capacity verdict of an unknown metric": lambda told: told["steps"][0]["capacity"]["gate"].update(subject="joy"),
    "a turn without a number": lambda told: told["steps"][0]["parts"].append(
        {"axis": "turn", "name": "first", "metrics": copy.deepcopy(told["steps"][0]["metrics"])}
    ),
    "half a character": lambda told: told.update(because="\ud800"),
    "half a character as a name": lambda told: told["fingerprint"].update({"\ud800": "x"}),
    "a setting that is deep": lambda told: told["target"]["settings"].update(deep=_nested(200)),
    "a setting that is no number": lambda told: told["target"]["settings"].update(share=float("nan")),
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_a_document_that_lies_is_as_if_it_were_not_there(one: Store, change: Change) -> None:
    told = json.loads(to_text(replace(CLEAN, header=_NOBODY)))
    change(told)
    _put(one, zlib.compress(json.dumps(told).encode()))
    assert one.kept(CLEAN.header.run_id) is None


def _nested(levels: int) -> list[object]:
    return [] if not levels else [_nested(levels - 1)]


DAMAGED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "not compressed": lambda: b"{}",
    "cut off": lambda: zlib.compress(to_text(CLEAN))[:-20],
    "no JSON": lambda: zlib.compress(b"no JSON"),
    "no text": lambda: zlib.compress(b"\xff\xfe{}"),
    "UTF-16": lambda: zlib.compress(json.dumps({}).encode("utf-16")),
    "nested beyond reading": lambda: zlib.compress(b"[" * 100_000),
    "a bomb": lambda: zlib.compress(b" " * 50_000_000),
    "a heap": lambda: zlib.compress(to_text(CLEAN), 0) + b"\0" * 16_000_000,
}


@pytest.mark.parametrize("document", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_document_is_as_if_it_were_not_there(one: Store, document: Callable[[], bytes]) -> None:
    _put(one, document())
    assert one.kept(CLEAN.header.run_id) is None


def test_a_run_whose_document_is_damaged_is_judged_again(measured: Path, tmp_path: Path) -> None:
    copied = shutil.copy(measured, tmp_path / "copied.db")
    with open_store(copied) as store:
        run_id = store.find("latest")
        before = judged(store, run_id)
        _put(store, b"damaged")
        assert store.kept(run_id) is None
        assert decided(store, run_id) == before


def test_a_text_that_utf_8_cannot_hold_is_kept_as_well_as_it_can_be() -> None:
    kept = of_text(to_text(replace(CLEAN, because="half \ud800 한국어")), RunResult)
    assert kept.because == "half � 한국어"


_NOBODY = replace(CLEAN.header, document_text="", resolved="")


def _put(store: Store, document: bytes) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO results SELECT run, ? FROM runs", (document,))


# ---------------------------------------------------------------- whatever somebody writes into it


_ODD: tuple[object, ...] = (
    None, True, 0, -1, 1, 2**62, -(2**62), 2**70, 1.5, -2.5, 1e308, 1e-320, float("inf"), float("nan"),
    "", "1", "inf", "<script>", "</script>", "\ud800", "\x1b[2J", "x" * 10_000, [], {}, [1], ["a"], [[]], [None],
    {"<b>": "</script>"},
)  # fmt: skip


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _places(member, (*path, name))
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from _places(member, (*path, place))


@cache
def _told(which: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(to_text(RECORDED[which]))
    return told


@cache
def _kinds_of_places(which: int) -> list[list[tuple[str | int, ...]]]:
    """Places by what they mean: so that a bucket of a histogram is not tried a hundred times as often as a verdict."""
    found = defaultdict(list)
    for path in _places(_told(which)):
        if path and path[0] != "header":
            found["/".join("#" if isinstance(part, int) else part for part in path)].append(path)
    return list(found.values())


def _changed(which: int, draw: Random) -> dict[str, Any]:
    told: dict[str, Any] = copy.deepcopy(_told(which))
    for path in [draw.choice(draw.choice(_kinds_of_places(which))) for _ in range(draw.choice((1, 1, 2)))]:
        at: Any = told
        try:
            for part in path[:-1]:
                at = at[part]
            former = at[path[-1]]
        except (LookupError, TypeError):  # the change before has taken it away
            continue
        if isinstance(former, str | int | float) and draw.random() < 0.5:  # of the same kind, and so not found out
            at[path[-1]] = draw.choice([odd for odd in _ODD if type(odd) is type(former)])
        elif isinstance(former, list) and draw.random() < 0.5:
            at[path[-1]] = draw.choice((former[:1], former * 2))
        else:
            at[path[-1]] = copy.deepcopy(draw.choice(_ODD))
    return told


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with all recorded runs."""
    with open_store(tmp_path_factory.mktemp("every") / "runs.db") as store:
        for run in RECORDED:
            store.begin(run.header)
            store.finish(run.header.run_id, run, "finished")
        yield store


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(len(RECORDED))), st.integers(0, 2**32))
def test_what_is_not_refused_can_be_shown(every: Store, which: int, seed: int) -> None:
    run_id = RECORDED[which].header.run_id
    _put(every, zlib.compress(json.dumps(_changed(which, Random(seed))).encode()))
    if every.kept(run_id) is None:
        return
    asked = Asked(texts_in(Language.EN), LiveLinks(1), {"run": run_id})
    assert run_page.page(asked, every).status == 200
    json.loads(run_page.document(asked, every).body)
