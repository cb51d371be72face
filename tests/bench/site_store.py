"""`python -m tests.bench.site_store FILE [--runs 10000]`: a store as a team has it after two years.

Some dozens of runs are made as `site_pool.py` says, then copied within the database under new ids, dates and labels:
every table is filled, and no figure of a page is made up. `cached` keeps the file until the schema or this changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sqlite3
import tempfile
import zlib
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

from llmload.store import schema
from llmload.store.database import open_store
from tests.bench import site_pool
from tests.bench.site_pool import FASTER, FINISHED, SCENARIOS, SLOWER, USUAL

RUNS = 10_000
CACHE = Path(__file__).parents[2] / ".bench"
FIRST_DAY = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730

_STATUSES = (("finished", 94), ("interrupted", 3), ("failed", 2), ("aborted", 1))
_BRANCHES = (("main", 6), ("release", 1), ("pr", 3))


@dataclass(frozen=True, slots=True)
class Copy:
    """One run to make; `origin` is the key of the run in the pool, `factor` how much longer everything took."""

    origin: int
    run_id: str
    created: str
    finished: str
    status: str
    labels: str
    commit: str
    factor: float


def main() -> None:
    """Make one, and say how long that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args()
    began = perf_counter()
    make(asked.file, asked.runs)
    print(f"{asked.runs:,} runs, {asked.file.stat().st_size / 1e6:,.0f} MB in {perf_counter() - began:.0f} s")


def cached(runs: int = RUNS) -> Path:
    """A store of so many runs, made where there is none yet; nobody may write into it."""
    path = CACHE / f"site-{runs}-{_version()}.db"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        for former in CACHE.glob(f"site-{runs}-*"):
            former.unlink()
        make(path, runs)
    return path


def _version() -> str:
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("site_store.py", "site_pool.py"))
    return hashlib.sha256("\n".join(schema.NAMES).encode() + sources).hexdigest()[:12]


def make(path: Path, runs: int = RUNS) -> None:
    """Make the store at `path`, where nothing may be yet. What is there is whole."""
    if path.exists():
        raise SystemExit(f"{path} is there already")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        pool, file = Path(folder) / "pool.db", Path(folder) / "store.db"
        origins = site_pool.make_pool(pool, min(SCENARIOS, runs))
        with open_store(file):
            pass
        connection = sqlite3.connect(file, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            _fill(connection, pool, origins, runs)
        finally:
            connection.close()
        with open_store(file):  # in WAL mode again
            pass
        file.rename(path)


# ---------------------------------------------------------------- which runs


def _copies(keys: Mapping[tuple[int, int], int], runs: int) -> Iterator[Copy]:
    """Runs in the order of time: a few scenarios are measured daily, others now and then; each has two turns."""
    draw = Random(20241101)
    scenarios = sorted({scenario for scenario, _ in keys})
    weights = [1 / (2 + scenario) for scenario in scenarios]
    turns = {scenario: sorted(draw.uniform(0.2, 0.9) for _ in range(2)) for scenario in scenarios}
    for share in sorted(draw.random() for _ in range(runs)):
        (scenario,) = draw.choices(scenarios, weights)
        variant = (USUAL, SLOWER, FASTER)[bisect(turns[scenario], share)]
        created = FIRST_DAY + timedelta(days=DAYS * share)
        yield Copy(
            keys[scenario, variant if draw.random() < 0.95 else USUAL],
            f"{created:%Y%m%d-%H%M%S}-{draw.getrandbits(32):08x}",
            _told(created),
            _told(created + timedelta(seconds=draw.randrange(200, 900))),
            _one_of(_STATUSES, draw),
            _labels(scenario, draw),
            hashlib.sha1(str(int(share * DAYS * 5)).encode(), usedforsecurity=False).hexdigest(),
            math.exp(draw.gauss(0, 0.03)),
        )


def _told(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _one_of(choices: tuple[tuple[str, int], ...], draw: Random) -> str:
    names, weights = zip(*choices, strict=True)
    return str(draw.choices(names, weights)[0])


def _labels(scenario: int, draw: Random) -> str:
    labels = {"team": site_pool.team_of(scenario), "branch": _one_of(_BRANCHES, draw)}
    if labels["branch"] == "pr":
        labels["pull_request"] = str(draw.randrange(100, 2000))
    return json.dumps(labels, sort_keys=True, separators=(",", ":"))


# ---------------------------------------------------------------- their rows


_FAST = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -200000;
PRAGMA temp_store = MEMORY;
PRAGMA foreign_keys = OFF;
CREATE TEMP TABLE copies (
    run INTEGER PRIMARY KEY, origin INTEGER, run_id TEXT, created TEXT, finished TEXT, status TEXT, labels TEXT,
    git_commit TEXT, factor REAL
);
CREATE TEMP TABLE copied_windows (
    window INTEGER PRIMARY KEY, run INTEGER, origin INTEGER, first_id INTEGER, origin_first INTEGER, origin_last INTEGER
)
"""
_SLOWED = ("ttft_p50_ms", "ttft_p99_ms", "tpot_p50_ms", "tpot_p99_ms", "e2e_p50_ms", "e2e_p99_ms")
_UNDECIDED = "copies.status IN ('failed', 'aborted')"
_CHANGED = {
    "runs": {
        "run": "copies.run",
        **{name: f"copies.{name}" for name in ("run_id", "created", "status", "labels")},
        "finished": "CASE copies.status WHEN 'aborted' THEN NULL ELSE copies.finished END",
        "verdict": f"CASE WHEN {_UNDECIDED} THEN NULL ELSE origin.verdict END",
        "exit_code": f"CASE WHEN {_UNDECIDED} THEN NULL ELSE origin.exit_code END",
        "environment": "json_set(origin.environment, '$.git_commit', copies.git_commit)",
        **{name: f"origin.{name} * factor" for name in _SLOWED},
        "output_tps": "origin.output_tps / factor",
    },
    "estimates": {
        "run": "copies.run",
        "value": "CASE WHEN name LIKE '%(%' THEN value * factor WHEN name = 'output_tps' THEN value / factor"
        " ELSE value END",
    },
}
"""What a copy has otherwise than its origin, by table and column."""


def _fill(connection: sqlite3.Connection, pool: Path, origins: tuple[site_pool.Origin, ...], runs: int) -> None:
    connection.execute("ATTACH ? AS pool", (str(pool),))
    connection.executescript(_FAST)
    keys = {
        (each.scenario, each.variant): connection.execute(
            "SELECT run FROM pool.runs WHERE run_id = ?", (each.run_id,)
        ).fetchone()[0]
        for each in origins
    }
    copies = list(_copies(keys, runs))
    connection.execute("BEGIN")
    rows = (
        (each.origin, each.run_id, each.created, each.finished, each.status, each.labels, each.commit, each.factor)
        for each in copies
    )
    connection.executemany("INSERT INTO copies VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for table in ("runs", *_tables_with(connection, "run", besides=("runs", "windows", "progress", "run_labels"))):
        if table != "results":
            _copy_rows(connection, table, "copies", "run", _CHANGED.get(table, {"run": "copies.run"}))
    _copy_results(connection, copies)
    _copy_windows(connection)
    connection.execute("COMMIT")


def _tables_with(connection: sqlite3.Connection, column: str, besides: tuple[str, ...]) -> list[str]:
    found = connection.execute(
        "SELECT m.name FROM main.sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.name = ? AND c.pk > 0",
        (column,),
    )
    return [name for (name,) in found if name not in besides]


def _copy_rows(
    connection: sqlite3.Connection, table: str, copies: str, key: str, changed: Mapping[str, str], where: str = ""
) -> None:
    """Every row of a table once for each copy of what it belongs to, in the order of the copies."""
    told = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
    columns = [name for (name,) in told]
    values = ", ".join(changed.get(name, f'origin."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(
        f"INSERT INTO main.{table} ({names}) SELECT {values} FROM temp.{copies} AS copies"
        f" CROSS JOIN pool.{table} AS origin ON {where or f'origin.{key} = copies.origin'}"
    )


def _copy_results(connection: sqlite3.Connection, copies: list[Copy]) -> None:
    """A kept result tells when its run was finished."""
    kept = {
        run: zlib.decompress(document).decode().split(FINISHED)
        for run, document in connection.execute("SELECT run, document FROM pool.results")
    }
    decided = [(run, each) for run, each in enumerate(copies, start=1) if each.status in ("finished", "interrupted")]
    connection.executemany(
        "INSERT INTO main.results VALUES (?, ?)",
        ((run, zlib.compress(each.finished.join(kept[each.origin]).encode())) for run, each in decided),
    )


def _copy_windows(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO copied_windows (run, origin, origin_first, origin_last)"
        " SELECT copies.run, window, first_id, last_id FROM copies CROSS JOIN pool.windows"
        " ON windows.run = copies.origin ORDER BY copies.run, step, look"
    )
    connection.execute(
        "WITH sizes AS (SELECT window, sum(origin_last - origin_first + 1) OVER (ORDER BY window) AS behind"
        " FROM copied_windows) UPDATE copied_windows SET first_id = 1 + behind - (origin_last - origin_first + 1)"
        " FROM sizes WHERE sizes.window = copied_windows.window"
    )
    own = {
        "window": "copies.window",
        "run": "copies.run",
        "first_id": "copies.first_id",
        "last_id": "copies.first_id + origin.last_id - origin.first_id",
    }
    _copy_rows(connection, "windows", "copied_windows", "window", own)
    for table in _tables_with(connection, "window", besides=("windows",)):
        _copy_rows(connection, table, "copied_windows", "window", {"window": "copies.window"})
    of_window = "origin.id BETWEEN copies.origin_first AND copies.origin_last"
    moved = {"id": "copies.first_id + origin.id - copies.origin_first"}
    _copy_rows(connection, "requests", "copied_windows", "id", moved, of_window)


if __name__ == "__main__":
    main()
