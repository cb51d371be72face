"""A stored run judged again: its windows folded into a result, whatever this version has learnt since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmload.analysis.alternatives import beside_others
from llmload.analysis.baselines import Refer, no_baseline
from llmload.analysis.judgement import STOPPED, judge
from llmload.baseline import SIDE_LABEL
from llmload.domain import IMPORTED, UNFINISHED, RunHeader, RunResult
from llmload.errors import TargetError
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved
from llmload.store.analyses import analyses_of
from llmload.store.database import Store
from llmload.store.imports import result_of
from llmload.store.profiles import profiles_beside
from llmload.store.runs import StoredRun
from llmload.verdict import Caveat

Against = Callable[[Scenario], Refer]

_CUT_SHORT = {
    "running": "it is still going on",
    "interrupted": "stopped by Ctrl-C or SIGTERM",
    "aborted": "its process died",
    "failed": "a defect of llmload or its surroundings ended it",
}
"""Why a run that the store knows by this status may have no more windows; a server's failure is told by itself."""


def judged(
    store: Store,
    run_id: str,
    scenario: Scenario | None = None,
    against: Against | None = None,
    ending: str | None = None,
) -> RunResult:
    """Fold the stored windows of a run into a result again; another `scenario` brings its own gates and SLO.

    `ending` is the status of a run that ends now, where the store does not know it yet.

    Relative gates are held against what the run was judged against when it ended, unless `against` finds another.
    An imported run has no windows, only the figures that it came with.
    """
    run = store.load(run_id)
    if run.status == IMPORTED:
        return result_of(run)
    asked = load_resolved(run.header.resolved) if scenario is None else scenario
    kept = run.reference
    as_it_was = no_baseline if kept is None else lambda _: kept
    result = judge(
        run.header,
        asked,
        run.facts,
        run.observations,
        finished=run.finished,
        trouble=_trouble(run),
        refer=as_it_was if against is None else against(asked),
        cut_short=cut_short(run.header, ending or run.status),
    )
    return remembering(store, result, asked)


def remembering(store: Store, result: RunResult, scenario: Scenario) -> RunResult:
    """The result with what only the store knows: what the demand takes on other installations, what was written of it.

    Only profiles that are older than the run, so that its report stays the same when others come.
    """
    result = replace(result, analyses=analyses_of(store, result.header.run_id))
    found, own, recommend = result.recommendation, result.profile, scenario.recommend
    if found is None or own is None or recommend is None:
        return result
    return replace(result, recommendation=beside_others(found, own, profiles_beside(store, own), recommend))


def decided(store: Store, run_id: str) -> RunResult:
    """The result of a run as it was decided when it ended; judged now where nothing was kept. `run_id` in full."""
    return store.kept(run_id) or judged(store, run_id)


def cut_short(header: RunHeader, status: str) -> Caveat | None:
    """Why a run of this status has no more windows than it has; None where it came to its end."""
    if status not in _CUT_SHORT:
        return None
    remedy = f"Give the same command again with `--resume {header.run_id}`"
    if status == "running":
        remedy = "Wait for its end, then make this report again"
    elif SIDE_LABEL in header.labels:
        remedy = "Measure both sides again with `llmload ab`"
    return Caveat(UNFINISHED, _CUT_SHORT[status], remedy, is_fatal=True, kind="NotMeasured")


def _trouble(run: StoredRun) -> TargetError | None:
    """What ended the run before its time: it is in no window, only in what was said when it ended."""
    for caveat in run.caveats:
        if caveat.rule == STOPPED:
            where, _, problem = caveat.figure.partition(": ")
            return TargetError(where, problem, caveat.remedy, kind=caveat.kind)
    return None
