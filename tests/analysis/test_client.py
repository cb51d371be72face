"""The client's own rules: both sides of every limit, and the remedy that fits the case."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.analysis.metrics import measure
from llmload.analysis.validity import check
from llmload.domain import Observation, Outcome, Phase, RequestRecord, WorkerFacts
from llmload.planned import Step
from llmload.scenario.asked import Scenario
from llmload.verdict import Caveat
from tests.analysis.builders import FACTS, MS, dropped, paced, scenario, window

HEALTHY = paced([50.0] * 200)
RATE = Step(0, "rate", 50.0)
FATAL = "ClientSaturated"


def caveats(*observations: Observation, cpus: int | None = 8, asked: Scenario | None = None) -> tuple[Caveat, ...]:
    """What speaks against one step."""
    asked = asked or scenario()
    return check(observations, measure(observations, asked.slo), scenario=asked, facts=FACTS, cpus=cpus)


def kinds(*observations: Observation, cpus: int | None = None) -> dict[str, bool]:
    """Each broken rule, and whether it is fatal."""
    return {caveat.rule: caveat.is_fatal for caveat in caveats(*observations, cpus=cpus)}


def worker(number: int = 0, *, cpu: float | None = 0.3, beats: int = 0, node: str = "", clock_ms: float = 0.0):
    return WorkerFacts(number, node, cpu, 8, round(clock_ms * MS), beats)


def at_a_rate(records: Sequence[RequestRecord], **options: object) -> Observation:
    """An open-loop window after a warm-up of two seconds."""
    early = [replace(record, phase=Phase.WARMUP) for record in paced([50.0] * 40, every_ms=50, begin_ms=-2000)]
    seen = window(records, step=RATE, **options)  # type: ignore[arg-type]  # as window takes them
    return replace(seen, records=(*early, *seen.records))


# ---------------------------------------------------------------- heartbeats and stalls


def with_one_late(late_ms: float, *, of: int) -> Observation:
    """`of` workers of 300 heartbeats each; in the last one's, 2 in a hundred are late."""
    beats = [0.1] * 300 * (of - 1) + ([0.1] * 49 + [late_ms]) * 6
    return window(HEALTHY, late_ms=beats, workers=[worker(number, beats=300) for number in range(of)])


def test_one_late_worker_of_fifty_does_not_hide_among_the_others() -> None:
    (late,) = caveats(with_one_late(11, of=50), cpus=64)
    assert (late.rule, late.is_fatal, late.kind) == ("client was late", True, FATAL)
    assert late.figure == "p99 heartbeat lateness of worker 49 11ms, at most 10ms allowed"


def test_fifty_workers_within_the_limit_are_punctual() -> None:
    assert caveats(with_one_late(9.9, of=50), cpus=64) == ()


def test_windows_that_do_not_tell_whose_heartbeats_are_whose_are_judged_as_a_whole() -> None:
    untold = replace(with_one_late(11, of=1), workers=(worker(0), worker(1)))
    assert kinds(untold) == {"client was late": True}
    assert kinds(replace(with_one_late(11, of=50), workers=())) == {}


@pytest.mark.parametrize(
    ("stalls", "is_fatal"),
    [
        pytest.param(1, False, id="one stall of 0.7 % of four workers' time"),
        pytest.param(2, True, id="two stalls of 1.4 %"),
    ],
)
def test_stalls_are_a_share_of_the_time_of_all_workers(stalls: int, is_fatal: bool) -> None:
    window_ms = HEALTHY[-1].done_ns / MS
    beats = [0.1] * 400 * 4
    beats[: 400 * stalls : 400] = [0.007 * 4 * window_ms] * stalls  # in different workers, so that each p99 holds
    seen = window(HEALTHY, late_ms=beats, workers=[worker(number, beats=400) for number in range(4)])
    assert kinds(seen) == {"client stalled": is_fatal}


# ---------------------------------------------------------------- open loop


@pytest.mark.parametrize(
    ("planned", "fatal"),
    [pytest.param(210, False, id="95.2 % begun"), pytest.param(211, True, id="94.8 % begun")],
)
def test_a_client_that_leaves_planned_requests_undone_could_not_keep_up(planned: int, fatal: bool) -> None:
    found = {c.rule: c for c in caveats(at_a_rate(HEALTHY, planned=planned))}
    assert ("client could not keep up" in found) is fatal
    if fatal:
        late = found["client could not keep up"]
        assert (late.is_fatal, late.kind) == (True, FATAL)
        assert late.figure.startswith("200 of 211 planned requests (94.78%)")


@pytest.mark.parametrize(("begun", "fatal"), [pytest.param(9, False, id="one"), pytest.param(8, True, id="two")])
def test_one_request_may_be_due_in_the_instant_in_which_a_window_ends(begun: int, fatal: bool) -> None:
    assert ("client could not keep up" in kinds(at_a_rate(HEALTHY[:begun], planned=10))) is fatal


def test_each_window_must_keep_up_by_itself() -> None:
    good, bad = at_a_rate(HEALTHY, planned=200), at_a_rate(HEALTHY[:100], planned=110)
    assert kinds(good, replace(bad, look=replace(bad.look, number=1)))["client could not keep up"]


def test_requests_cancelled_before_they_were_sent_were_not_begun() -> None:
    waiting = [replace(r, outcome=Outcome.CANCELLED, sent_ns=None, event_ns=array("q")) for r in HEALTHY[:20]]
    assert "client could not keep up" in kinds(at_a_rate([*waiting, *HEALTHY[20:]], planned=200))
    under_way = [replace(record, outcome=Outcome.CANCELLED) for record in HEALTHY[:20]]
    assert "client could not keep up" not in kinds(at_a_rate([*under_way, *HEALTHY[20:]], planned=200))


def test_requests_dropped_while_the_client_was_on_time_are_the_servers_doing() -> None:
    seen = at_a_rate([*map(dropped, HEALTHY[:30]), *HEALTHY[30:]], planned=200)
    (caveat,) = (c for c in caveats(seen) if c.rule == "requests were dropped")
    assert not caveat.is_fatal
    assert caveat.figure == "30 of 200 requests (15%) were due while 1,000 were in flight; none of them is good"
    assert "150ms each (p99), up to 8 are in flight: raise load.max_in_flight" in caveat.remedy  # at 50/s
    assert "give it more capacity" in caveat.remedy


def test_requests_dropped_by_a_late_client_may_be_its_own_doing() -> None:
    seen = at_a_rate([*map(dropped, HEALTHY[:30]), *HEALTHY[30:]], planned=200, workers=[worker(cpu=0.99)])
    (caveat,) = (c for c in caveats(seen) if c.rule == "requests were dropped")
    assert caveat.remedy.startswith("Mend the client first")


def test_a_dropped_request_runs_through_no_instant_backwards() -> None:
    assert "clock trouble" not in kinds(at_a_rate([*map(dropped, HEALTHY[:5]), *HEALTHY[5:]], planned=200))
    early = [replace(dropped(r), done_ns=r.due_ns - MS) for r in HEALTHY[:5]]
    assert kinds(at_a_rate([*early, *HEALTHY[5:]], planned=200))["clock trouble"]


def test_in_open_loop_nothing_is_sent_before_it_is_due() -> None:
    early = [replace(HEALTHY[0], due_ns=HEALTHY[0].due_ns + MS), *HEALTHY[1:]]
    assert kinds(at_a_rate(early, planned=200))["clock trouble"]


@pytest.mark.parametrize(
    ("lead_ms", "is_short"),
    [pytest.param(151, False, id="arrivals for one E2E"), pytest.param(149, True, id="arrivals for less than one E2E")],
)
def test_a_rate_needs_a_warm_up_of_one_e2e_before_throughput_is_steady(lead_ms: float, is_short: bool) -> None:
    seen = window(HEALTHY, step=RATE, planned=200)  # each takes 150 ms
    first = replace(paced([50.0], begin_ms=-lead_ms)[0], phase=Phase.WARMUP)
    found = caveats(replace(seen, records=(first, *seen.records)))
    assert [c.rule for c in found] == (["warm-up too short"] if is_short else [])
    assert all("to 8, which" in c.remedy for c in found)  # 50/s x 150 ms


# ---------------------------------------------------------------- the core


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(None, {}, id="unknown"),
        pytest.param(0.79, {}, id="79 %"),
        pytest.param(0.80, {"client used most of its core": False}, id="80 %"),
        pytest.param(0.949, {"client used most of its core": False}, id="94.9 %"),
        pytest.param(0.95, {"client used its whole core": True}, id="95 %"),
        pytest.param(1.01, {"client used its whole core": True}, id="all of it"),
    ],
)
def test_any_worker_at_the_limit_of_its_core_spoils_the_step(share: float | None, expected: dict[str, bool]) -> None:
    seen = window(HEALTHY, workers=[worker(0, cpu=0.1), worker(1, cpu=share)])
    assert kinds(seen) == expected
    assert all("worker 1 used" in caveat.figure for caveat in caveats(seen))


@pytest.mark.parametrize(
    ("shares", "is_full"),
    [
        pytest.param([0.5, 0.5, 0.5, 0.39], False, id="94.5 % of two CPUs"),
        pytest.param([0.5, 0.5, 0.5, 0.41], True, id="95.5 % of two CPUs"),
        pytest.param([0.5, None, 0.5, 0.5], False, id="one unknown"),
    ],
)
def test_workers_that_fill_all_cpus_together_spoil_the_step(shares: list[float | None], is_full: bool) -> None:
    seen = window(HEALTHY, workers=[worker(number, cpu=share) for number, share in enumerate(shares)])
    assert kinds(seen, cpus=2) == ({"client used its whole machine": True} if is_full else {})
    assert kinds(seen) == {}  # of a machine that did not tell its CPUs nobody knows


# ---------------------------------------------------------------- our own limits


@pytest.mark.parametrize(
    ("error_type", "remedy"),
    [
        pytest.param("CLIENT_OUT_OF_FILES", "ulimit", id="files"),
        pytest.param("CLIENT_OUT_OF_PORTS", "net.ipv4.ip_local_port_range", id="ports"),
    ],
)
@pytest.mark.parametrize(
    ("phase", "is_fatal"), [(Phase.MEASURED, True), (Phase.FILLER, True), (Phase.WARMUP, False)], ids=str
)
def test_a_request_that_this_machine_could_not_send_spoils_the_window(
    error_type: str, remedy: str, phase: Phase, is_fatal: bool
) -> None:
    refused = replace(
        HEALTHY[0], phase=phase, outcome=Outcome.CONNECT_ERROR, error_type=error_type, sent_ns=None, event_ns=array("q")
    )
    found = [c for c in caveats(window([replace(refused, answer_ns=None), *HEALTHY[1:]])) if c.kind == FATAL]
    assert [caveat.is_fatal for caveat in found] == [True] * is_fatal
    for caveat in found:
        assert remedy in caveat.remedy
        assert caveat.figure == "1 of 200 requests could not be sent from this machine"


# ---------------------------------------------------------------- other machines


@pytest.mark.parametrize(
    ("node", "error_ms", "expected"),
    [
        pytest.param("", 0, {}, id="this machine"),
        pytest.param("node-b", 0.1, {"workers on other machines": False}, id="another, well known"),
        pytest.param("node-b", 10, {"workers on other machines": False}, id="just within 10 ms"),
        pytest.param("node-b", 10.1, {"workers on other machines": True}, id="above 10 ms"),
    ],
)
def test_clocks_of_other_machines_are_told_and_must_be_known_well(
    node: str, error_ms: float, expected: dict[str, bool]
) -> None:
    seen = window(HEALTHY, workers=[worker(0), worker(1, node=node, clock_ms=error_ms)])
    assert kinds(seen) == expected
    for caveat in caveats(seen):
        assert caveat.kind == ("ClockTrouble" if caveat.is_fatal else "")
        assert "worker 1 on node-b" in caveat.figure


def test_a_slow_server_allows_a_less_certain_clock() -> None:
    """5 % of a median TTFT of 400 ms are 20 ms."""
    slow = window(paced([400.0] * 200), workers=[worker(node="node-b", clock_ms=19)])
    assert kinds(slow) == {"workers on other machines": False}


# ---------------------------------------------------------------- remedies

HTTPX = Caveat("slower transport", "requests go through httpx", "Write transport: fast")
LATE = [0.1] * 480 + [11] * 20


@pytest.mark.parametrize(
    ("workers", "cpus", "begins"),
    [
        pytest.param((), None, "Use more workers (load.workers), give", id="nothing known"),
        pytest.param((0.9,), 8, "Use more workers (load.workers, 1 now on 8 CPUs), give", id="fewer workers than CPUs"),
        pytest.param((0.9, 0.9), 2, "Use another machine (load.engine: ray), or give each", id="a worker on each CPU"),
        pytest.param((0.2,), 8, "Give the load generator an idle core or another machine", id="a hog on the core"),
    ],
)
def test_the_remedy_that_fits_comes_first(workers: tuple[float, ...], cpus: int | None, begins: str) -> None:
    seen = window(HEALTHY, late_ms=LATE, workers=[worker(number, cpu=cpu) for number, cpu in enumerate(workers)])
    late = caveats(seen, cpus=cpus)[0]
    assert late.kind == FATAL
    assert late.remedy.startswith(begins)
    assert "idle core" in late.remedy
    assert "another machine" in late.remedy


def test_a_late_client_on_many_nodes_needs_more_of_them() -> None:
    seen = window(HEALTHY, late_ms=LATE, workers=[worker(cpu=0.9, node="node-b")])
    assert "more nodes" in caveats(seen)[0].remedy


def test_a_late_client_behind_the_slower_transport_hears_of_the_faster_one_first() -> None:
    seen = replace(window(HEALTHY, late_ms=LATE), caveats=(HTTPX,))
    assert caveats(seen)[0].remedy.startswith("Write target.transport: fast")
    asked = scenario()
    through = replace(asked, target=replace(asked.target, transport="httpx"))
    assert caveats(window(HEALTHY, late_ms=LATE), asked=through)[0].remedy.startswith("Write target.transport: fast")


def test_the_slower_transport_is_shown_and_not_fatal() -> None:
    assert caveats(replace(window(HEALTHY), caveats=(HTTPX,))) == (HTTPX,)
