"""A store from elsewhere, where one run is not as any llmload writes it: that run may be refused, the site goes on."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.recorded_comparisons import REGRESSED
from tests.site.visiting import visiting

NEXT = "20260202-080000-00000002"
HOSTILE = {
    "labels that are no JSON": "UPDATE runs SET labels = 'no JSON' WHERE run_id = ?",
    "labels that are a list": "UPDATE runs SET labels = '[1, 2]' WHERE run_id = ?",
    "labels of numbers": """UPDATE runs SET labels = '{"a": {"b": [1]}, "c": null}' WHERE run_id = ?""",
    "an environment that is a list": "UPDATE runs SET environment = '[]' WHERE run_id = ?",
    "an environment of numbers": """UPDATE runs SET environment = '{"git_commit": 7, "gpu": ["x"]}' WHERE run_id = ?""",
    "a fingerprint that is a text": """UPDATE runs SET fingerprint = '"x"' WHERE run_id = ?""",
    "settings that are a list": "UPDATE runs SET framework_config = '[1]' WHERE run_id = ?",
    "a token fit that is a list": "UPDATE runs SET token_fit = '[]' WHERE run_id = ?",
    "a scenario that is no JSON": "UPDATE runs SET resolved = 'no JSON' WHERE run_id = ?",
    "a name that is no UTF-8": "UPDATE runs SET model = CAST(x'FFFE41' AS TEXT) WHERE run_id = ?",
    "markup": "UPDATE runs SET model = '<script>alert(1)</script>', because = '<img src=x>' WHERE run_id = ?",
    "a date that is none": "UPDATE runs SET created = 'yesterday', finished = 'never' WHERE run_id = ?",
    "figures beyond all": "UPDATE runs SET goodput = 9e999, goodput_low = -1e308, goodput_high = 1e308,"
    " ttft_p99_ms = 9e999, output_tps = -5 WHERE run_id = ?",
    "a verdict that nobody knows": "UPDATE runs SET verdict = 'maybe' WHERE run_id = ?",
    "latencies that are a list": "UPDATE steps SET latency = '[1]' WHERE run = (SELECT run FROM runs WHERE run_id = ?)",
    "a result that is none": "UPDATE results SET document = x'00' WHERE run = (SELECT run FROM runs WHERE run_id = ?)",
}
RUN = REGRESSED.header.run_id
SCENARIO = REGRESSED.header.scenario
OF_ALL = ("/", "/history.json", f"/?scenario={SCENARIO}", f"/trends/{SCENARIO}", f"/trends/{SCENARIO}.json", "/compare")
OF_THE_RUN = (
    *(f"/benchmark/{RUN}", f"/benchmark/{RUN}.json", f"/compare?runs={NEXT},{RUN}", f"/recommend/{RUN}"),
    *(f"/benchmark/{RUN}/export?format={form}" for form in ("csv", "xlsx", "json", "junit")),
)


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE)
def test_one_run_that_cannot_be_read_takes_no_page_of_the_others_with_it(
    damage: str, filled: Path, tmp_path: Path
) -> None:
    store = tmp_path / "llmload.db"
    shutil.copy(filled, store)
    with closing(sqlite3.connect(store)) as connection, connection:
        assert connection.execute(damage, (RUN,)).rowcount > 0
    with visiting(store) as visit:
        shown = {path: visit.get(path) for path in OF_ALL}
        of_the_run = {path: visit.get(path) for path in OF_THE_RUN}
    assert {path: told.status for path, told in shown.items() if told.status != 200 and path != "/compare"} == {}
    assert {path: told.status for path, told in of_the_run.items() if told.status == 500} == {}
    everything = "".join(told.body.decode("utf-8", "replace") for path, told in shown.items() if ".json" not in path)
    assert "<script>alert" not in everything
    assert "<img src=x" not in everything
