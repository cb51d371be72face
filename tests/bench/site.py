"""The rows about the site: `llmload serve` on a store of 10,000 runs, four readers at once, while a writer appends.

`python -m tests.bench.site` prints them alone. Readers and server share the cores of this machine, as in `make bench`.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event
from time import perf_counter
from urllib.parse import urlsplit

from tests.bench import site_queries, site_store
from tests.bench.processes import cpu_ns, resident_bytes
from tests.bench.served import ROOT, percentile
from tests.bench.site_pages import KINDS, Kind, Known, known
from tests.bench.site_writer import LIVE, writing
from tests.bench.table import Row, show

READERS = 4
REQUESTS = 160
"""Of each kind of page."""

_PAGES = 5_000
_OWN_PAGES = (
    "run_list?_facet=scenario",
    "run_list?_facet=verdict&_sort_desc=goodput+%28%25%29",
    "step_list",
    "gate_list",
)
_LIVE_S = 10


@dataclass(frozen=True, slots=True)
class Served:
    """A site that runs, and the file behind it."""

    pid: int
    host: str
    port: int
    store: Path


def rows() -> list[Row]:
    """Every row; the store is made where there is none in the cache."""
    began = perf_counter()
    kept = site_store.cached()
    made_s = perf_counter() - began
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        store = Path(shutil.copyfile(kept, Path(folder) / "site.db"))
        there = known(store)
        found = [_size(kept, made_s), *site_queries.rows(store, there)]
        with serving(store) as served, writing(store) as writer:
            before = resident_bytes(served.pid)
            found += [row for kind in KINDS for row in _of_kind(kind, there, served)]
            found += [_own_page(page, served) for page in ("", *_OWN_PAGES)]
            found += [*_events(served), *_memory(before, there, served)]
            told, _ = writer.communicate("\n", timeout=30)
        found.append(Row("site: runs that were written meanwhile", None, float(told), "runs"))
    return found


@contextmanager
def serving(store: Path) -> Iterator[Served]:
    """`llmload serve` for as long as the block lasts, on a port of its own."""
    command = [
        str(Path(sys.executable).parent / "llmload"),
        "serve",
        "--store",
        str(store),
        "--port",
        "0",
        "--rate-limit",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        address = urlsplit(server.stdout.readline().split()[2])
        assert address.hostname is not None
        assert address.port is not None
        try:
            yield Served(server.pid, address.hostname, address.port, store)
        finally:
            server.terminate()


# ---------------------------------------------------------------- readers


def _of_kind(kind: Kind, there: Known, served: Served) -> list[Row]:
    draw = Random(kind.name)
    addresses = list(dict.fromkeys(kind.draw(there, draw).address for _ in range(REQUESTS)))
    ask(served, [kind.draw(there, draw).address for _ in range(2 * READERS)])  # templates and modules, read once
    cpu = cpu_ns(served.pid)
    began = perf_counter()
    taken, _ = ask(served, (addresses * REQUESTS)[:REQUESTS])
    seconds, used = perf_counter() - began, cpu_ns(served.pid) - cpu
    note = (
        f"p50 {percentile(taken, 0.5):.0f} ms, p99 {percentile(taken, 0.99):.0f} ms; {len(taken) / seconds:.0f}/s,"
        f" {used / len(taken) / 1e6:.1f} ms of CPU each"
    )
    return [Row(f"site: {kind.name}, p95", kind.bar_ms, percentile(taken, 0.95), "ms", note)]


def ask(served: Served, addresses: Sequence[str], readers: int = READERS) -> tuple[list[float], int]:
    """Milliseconds of each answer, and the bytes of all; every reader has a share of the addresses and a connection."""
    with ThreadPoolExecutor(readers) as pool:
        shares = [addresses[reader::readers] for reader in range(readers)]
        answers = list(pool.map(lambda share: list(_read(served, share)), shares))
    return [taken for share in answers for taken, _ in share], sum(size for share in answers for _, size in share)


def _read(served: Served, addresses: Sequence[str]) -> Iterator[tuple[float, int]]:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
    for address in addresses:
        began = perf_counter()
        connection.request("GET", address)
        answer = connection.getresponse()
        body = answer.read()
        taken = (perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{address} answered {answer.status}: {body[:300]!r}")
        yield taken, len(body)
    connection.close()


def _own_page(page: str, served: Served) -> Row:
    """A page of Datasette over a named view: its own limit for a query is half a second."""
    address = f"/{served.store.stem}/{page}" if page else f"/{served.store.stem}"
    taken, _ = ask(served, [address] * 8, readers=1)
    what = page.replace("?_facet=", " by ").partition("&")[0] or "the database"
    return Row(
        f"site: Datasette's page of {what}, p50", 1000, percentile(taken, 0.5), "ms", f"most {max(taken):.0f} ms"
    )


# ---------------------------------------------------------------- beside them


def _events(served: Served) -> list[Row]:
    """One browser follows a run that goes on while four readers ask for pages."""
    stop = Event()
    addresses = [f"/benchmark/{LIVE}.json", "/"] * 4
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(_ask_until, stop, served, addresses)
        seen = _followed(served)
        stop.set()
        asked = busy.result()
    gaps = [after - before for before, after in pairwise(seen)]
    note = f"{len(seen)} events in {_LIVE_S} s beside {asked} pages"
    return [Row("site: longest time between two events of a live run", 1.5, max(gaps, default=60.0), "s", note)]


def _ask_until(stop: Event, served: Served, addresses: Sequence[str]) -> int:
    asked = 0
    while not stop.is_set():
        asked += len(ask(served, addresses)[0])
    return asked


def _followed(served: Served) -> list[float]:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
    connection.request("GET", f"/benchmark/{LIVE}/events")
    answer, seen, began = connection.getresponse(), [], perf_counter()
    while perf_counter() - began < _LIVE_S:
        if answer.readline().startswith(b"data:"):
            seen.append(perf_counter())
    connection.close()
    return seen


def _memory(before: int, there: Known, served: Served) -> list[Row]:
    """What the server keeps after thousands of pages that were all different."""
    draw = Random("memory")
    early = 0
    mixed = [kind.draw(there, draw).address for _ in range(_PAGES // len(KINDS)) for kind in KINDS]
    for begin in range(0, len(mixed), 500):
        ask(served, mixed[begin : begin + 500])
        early = early or resident_bytes(served.pid)
    now = resident_bytes(served.pid)
    note = f"{before / 1e6:.0f} MB at the start, {early / 1e6:.0f} MB after the first 500 of these"
    return [Row(f"site: memory of the server after {len(mixed):,} pages more", 400, now / 1e6, "MB", note)]


def _size(store: Path, made_s: float) -> Row:
    note = f"made in {made_s:.0f} s" if made_s > 1 else "from the cache"
    return Row("site: store of 10,000 runs x 6 steps x 200 requests", 2000, store.stat().st_size / 1e6, "MB", note)


if __name__ == "__main__":
    print(show(rows()))
