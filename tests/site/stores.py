"""A store with some of everything: what a page may meet, in one small file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmload.analysis.judgement import UNMEASURED
from llmload.domain import COMMAND_LINE, IMPORTED, RunResult
from llmload.store.analyses import keep_analysis
from llmload.store.database import open_store
from llmload.store.judgement import cut_short
from llmload.verdict import Status
from tests.recorded_comparisons import ADVISED, REGRESSED
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TROUBLE

RUNNING, FAILED, UNTOLD = "20260301-120000-000000f0", "20260301-130000-000000f1", "20260301-140000-000000f2"
"""Runs without a result: one that goes on in this process, one that broke, one that was stopped."""


def fill(path: Path) -> Path:
    """Make the store; the runs of RECORDED, copies of the first one on other days, and three without a result."""
    with open_store(path) as store:
        for result in RECORDED:
            store.begin(result.header)
            if result.target is not None:
                store.describe(result.header.run_id, result.target)
            store.finish(result.header.run_id, result, IMPORTED if result.is_imported else "finished")
            for analysis in result.analyses:
                keep_analysis(store, result.header.run_id, analysis)
        for run_id, status in ((FAILED, "failed"), (UNTOLD, "interrupted")):
            broken = _broken(run_id, status)
            store.begin(broken.header)
            store.finish(run_id, broken, status)
        store.begin(replace(CLEAN.header, run_id=RUNNING, created=_created(RUNNING)))
    return path


def _broken(run_id: str, status: str) -> RunResult:
    """What a run comes to that ends before its first window does: an error with its reason, and nothing else."""
    source = COMMAND_LINE if status == "failed" else CLEAN.header.source
    header = replace(CLEAN.header, run_id=run_id, created=_created(run_id), source=source)
    reason = cut_short(header, status)
    assert reason is not None
    return RunResult(
        header=header,
        finished=header.created,
        target=None,
        steps=(),
        status=Status.ERROR,
        exit_code=UNMEASURED,
        because="Nothing was measured",
        fingerprint=CLEAN.fingerprint,
        caveats=(replace(reason, is_fatal=False),),
    )


def _created(run_id: str) -> str:
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}:{run_id[13:15]}.000Z"


def _again(day: int) -> RunResult:
    run_id = f"202602{day:02}-080000-0000{day:04x}"
    return replace(CLEAN, header=replace(CLEAN.header, run_id=run_id, created=_created(run_id)))


RECORDED: tuple[RunResult, ...] = (
    CLEAN,
    TROUBLE,
    REGRESSED,
    ADVISED,
    FROM_LOADTEST,
    *(_again(day) for day in range(1, 13)),
)
"""Runs that have ended, with their results."""
