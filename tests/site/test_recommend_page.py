"""What runs recommend, side by side and one in full, with the twins for programs."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.capacity import Interval
from llmload.domain import RunResult
from llmload.store.database import open_store
from tests.recorded_comparisons import REGRESSED
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE
from tests.site.asked import ask

ODD = HOSTILE.replace("\ud800", "")  # no id of a store has half of a character
RUN = CLEAN.header.run_id


def test_recommendations_stand_side_by_side_newest_first(filled: Path) -> None:
    (page,) = ask(filled, "/recommend")
    assert page.status_code == 200
    rows = page.text.partition("<tbody>")[2].split("<tr>")[1:]
    created = [re.findall(r'class="soft">(2026-[^<]+)<', row)[0] for row in rows]
    assert created == sorted(created, reverse=True)
    (mine,) = (row for row in rows if f'href="recommend/{RUN}"' in row)
    assert f'href="benchmark/{RUN}"' in mine
    for words in ("5 × NVIDIA H100", "600", "600 to 800", ">500<", "20%", "9,125", "qwen3-14b", "quickstart"):
        assert words in mine
    (without,) = (row for row in rows if f'href="recommend/{TROUBLE.header.run_id}"' in row)
    assert '<td colspan="4">' in without  # why there can be none
    assert ("Formula and curve" in mine, "Formula and curve" in without) == (True, False)


def test_one_is_told_in_full_with_its_formula_and_its_curve(filled: Path) -> None:
    (page,) = ask(filled, f"/recommend/{RUN}")
    assert page.status_code == 200
    assert "a peak of 500 concurrent users, qwen3-14b needs 5 × NVIDIA H100." in page.text
    assert "ceil(500 × (1 + 0.2) / 120)" in page.text
    assert '<figure class="chart" id="chart-capacity">' in page.text
    assert f'href="../benchmark/{RUN}"' in page.text


def test_programs_get_every_figure_with_its_interval(filled: Path) -> None:
    listed, one = ask(filled, "/recommend.json", f"/recommend/{RUN}.json")
    told = json.loads(one.text, parse_constant=pytest.fail)
    assert told in listed.json()["recommendations"]
    assert listed.json()["older"] is None
    advice = told["recommendation"]["recommendation"]
    assert (advice["recommended_count"], advice["intervals"]["recommended_count"]) == (5, {"low": 4, "high": 5})
    assert (told["run_id"], told["model"], told["framework"]) == (RUN, "qwen3-14b", "vllm")


@pytest.mark.parametrize("run", [REGRESSED.header.run_id, "nobody", "%3Cscript%3E", "%00"])
def test_a_run_without_one_is_told_so(filled: Path, run: str) -> None:
    page, document = ask(filled, f"/recommend/{run}", f"/recommend/{run}.json")
    assert (page.status_code, document.status_code) == (404, 404)
    assert "has no recommendation" in page.text
    assert "<script>" not in page.text


def remember(path: Path, *results: RunResult) -> Path:
    with open_store(path) as store:
        for result in results:
            store.begin(result.header)
            store.finish(result.header.run_id, result, "finished")
    return path


def test_where_there_is_none_the_page_says_what_will_make_them(tmp_path: Path) -> None:
    store = remember(tmp_path / "llmload.db", replace(CLEAN, recommendation=None))
    page, document = ask(store, "/recommend?lang=en", "/recommend.json")
    assert "No run of this store has a recommendation yet" in page.text
    assert "llmload recommend FILE" in page.text
    assert document.json() == {"older": None, "recommendations": []}


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        pytest.param(Interval(550, None), "550 or more", id="no load that was measured breaks the SLO"),
        pytest.param(Interval(600, 600), None, id="both ends are the figure"),
    ],
)
def test_an_interval_tells_only_what_bounds_it(tmp_path: Path, interval: Interval, words: str | None) -> None:
    found = CLEAN.recommendation
    assert found is not None
    assert found.advice is not None
    advice = replace(found.advice, intervals={"estimated_max_concurrency": interval})
    store = remember(tmp_path / "llmload.db", replace(CLEAN, recommendation=replace(found, advice=advice)))
    (page,) = ask(store, "/recommend?lang=en")
    told = re.findall(r'data-name="Concurrency within the SLO">600(?:<br><span class="soft">(.*?)</span>)?<', page.text)
    assert told == [words or ""]


FIRST = ("headline", "workload", "current_infra", "advice")
"""What a recommendation had in the first version that stored any; further fields of it and of its parts are newer."""

NEWER = {
    "workload": ("e2e_target_ms", "expected_peak"),
    "advice": ("replicas", "gpus_per_replica", "usd_per_gpu_hour", "cost_per_million_tokens_usd"),
}


def test_one_of_an_older_version_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    store = remember(tmp_path / "llmload.db", replace(CLEAN, recommendation=CLEAN.recommendation))
    with closing(sqlite3.connect(store)) as connection, connection:
        (text,) = connection.execute("SELECT document FROM recommendations").fetchone()
        old = {name: value for name, value in json.loads(text).items() if name in FIRST}
        for part, names in NEWER.items():
            old[part] = {name: value for name, value in old[part].items() if name not in names}
        connection.execute("UPDATE recommendations SET document = ?", (json.dumps(old),))
    listed, page, document = ask(store, "/recommend", f"/recommend/{RUN}", f"/recommend/{RUN}.json")
    assert "5 × NVIDIA H100" in listed.text
    assert page.status_code == 200
    assert document.json()["recommendation"]["recommendation"]["recommended_count"] == 5


def test_an_alternative_leads_to_the_run_that_measured_it_where_the_store_has_it(tmp_path: Path) -> None:
    found = CLEAN.recommendation
    assert found is not None
    first, second = (each.run_id for each in found.alternatives)
    other = replace(CLEAN, header=replace(CLEAN.header, run_id=first), recommendation=None)
    (page,) = ask(remember(tmp_path / "llmload.db", CLEAN, other), f"/recommend/{RUN}")
    assert f'<a href="../benchmark/{first}"><code>{first}</code></a>' in page.text
    assert f"<code>{second}</code>" in page.text
    assert f"benchmark/{second}" not in page.text
    assert f'href="../benchmark/{second}"' not in page.text


def test_a_long_list_goes_on_behind_its_last_run(tmp_path: Path) -> None:
    runs = [
        replace(
            CLEAN, steps=(), header=replace(CLEAN.header, run_id=f"r {n:03}", created=f"2026-03-01T00:00:00.{n:03}Z")
        )
        for n in range(60)
    ]
    store = remember(tmp_path / "llmload.db", *runs)
    first, rest = ask(store, "/recommend", "/recommend.json?before=r%20010")
    assert 'rel="next" href="recommend?before=r+010"' in first.text
    told = rest.json()
    assert [each["run_id"] for each in told["recommendations"]] == [f"r {n:03}" for n in range(9, -1, -1)]
    assert told["older"] is None


def test_words_of_a_foreign_store_are_only_words(tmp_path: Path) -> None:
    found = CLEAN.recommendation
    assert found is not None
    assert found.advice is not None
    advice = replace(found.advice, recommended_gpu=HOSTILE, reasoning=HOSTILE, calculation_formula=HOSTILE)
    without = replace(found, headline=HOSTILE, advice=None)
    runs = [replace(CLEAN, recommendation=replace(found, advice=advice, headline=HOSTILE))]
    runs += [replace(CLEAN, header=replace(CLEAN.header, run_id=ODD, scenario=ODD), recommendation=without)]
    store = remember(tmp_path / "llmload.db", *runs)
    for page in ask(store, "/recommend", f"/recommend/{RUN}"):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
