"""`python -m tests.bench.site_writer STORE`: small runs, a few a second, until stdin ends; one that goes on all along.

Beside it the readers of the bench ask their pages, as they do while CI stores what it has measured.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from subprocess import PIPE, Popen

from llmload.domain import Phase
from llmload.planned import Look, Step
from llmload.progress import Progress
from llmload.store.database import Store, open_store
from tests.bench.figures import observation_of
from tests.bench.served import ROOT
from tests.recorded_runs import CLEAN

LIVE = "29990101-000000-00000000"
"""Id of the run that goes on."""

_PAUSE_S = 0.25


@contextmanager
def writing(store: Path) -> Iterator[Popen[str]]:
    """A writer for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.site_writer", str(store)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        yield writer
        assert writer.stdin is not None
        writer.stdin.close()
        writer.wait(30)


def main() -> None:
    """Write until told to stop, then say how many runs that were."""
    with open_store(Path(sys.argv[1])) as store:
        header = replace(CLEAN.header, run_id=LIVE, created="2999-01-01T00:00:00.000Z")
        store.begin(header)
        print("writes", flush=True)
        written = 0
        for number in count():
            _small_run(store, number)
            store.progress(LIVE, _standing(number))
            written += 1
            if select.select([sys.stdin], [], [], _PAUSE_S)[0]:
                break
        store.finish(LIVE, replace(CLEAN, header=header), "finished")
    print(written, flush=True)


def _small_run(store: Store, number: int) -> None:
    run_id = f"20261201-000000-{number:08x}"
    result = replace(CLEAN, header=replace(CLEAN.header, run_id=run_id, created="2026-12-01T00:00:00.000Z"))
    assert result.target is not None
    store.begin(result.header)
    store.describe(run_id, result.target)
    window = observation_of(100, number, 12)
    store.remember(run_id, replace(window, look=Look(Step(0, "concurrency", 8), 0, 100)))
    store.finish(run_id, result, "finished")


def _standing(number: int) -> Progress:
    return Progress(
        step="concurrency 8",
        phase=Phase.MEASURED,
        done=number,
        planned=1_000_000,
        in_flight=8,
        output_events_per_s=number + 0.5,
        ttft_p50_ms=20.0,
        ttft_p95_ms=40.0,
        goodput=0.99,
        elapsed_s=float(number),
    )


if __name__ == "__main__":
    main()
