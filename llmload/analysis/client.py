"""Whether the load generator itself kept up. A client that is late must never pass for a server that is slow."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from llmload.analysis.measured import Measured
from llmload.analysis.stats import Floats, percentiles
from llmload.analysis.wording import counted, milliseconds, percent
from llmload.domain import Observation, Outcome, Phase, WorkerFacts
from llmload.verdict import Caveat

LEAST_LATENESS_MS = 10.0
LATENESS_SHARE = 0.05
STALL_MS = 50.0
STALL_SHARE = 0.01
LEAST_BEGUN = 0.95
FULL_CORE, BUSY_CORE = 0.95, 0.80
IDLE_CORE = 0.50
"""A late worker that used less than this much of its core was not kept from it by its own work."""

OUT_OF_FILES, OUT_OF_PORTS = "CLIENT_OUT_OF_FILES", "CLIENT_OUT_OF_PORTS"
"""`error_type` of requests that our own machine kept from being sent."""

_KIND = "ClientSaturated"


def client_is_late(measured: Measured) -> Caveat | None:
    """Lag alone is blind in closed loop, where a late client also sends late; the heartbeat is not.

    Heartbeats are judged worker by worker: among those of 50, one that is always late would be 2 %.
    """
    limit = allowed_ms(measured)
    lag = measured.attempts.latency_ms["lag"]
    beats = _beats_by_worker(measured.observations)
    shares = [(f"heartbeat lateness{_of(name, len(beats))}", late) for name, late in beats.items()]
    shares.append(("lag", lag[~np.isnan(lag)]))
    p99s = [(name, percentiles(late, (99,))[0]) for name, late in shares if len(late)]
    name, p99 = max(p99s, key=lambda each: each[1], default=("", 0.0))
    if p99 <= limit:
        return None
    figure = f"p99 {name} {milliseconds(p99)}, at most {milliseconds(limit)} allowed"
    return Caveat("client was late", figure, relief(measured), is_fatal=True, kind=_KIND)


def client_stalled(measured: Measured) -> Caveat | None:
    """Stalls as a share of the time of all workers together."""
    beats = heartbeats_ms(measured.observations)
    stalls = beats[beats > STALL_MS]
    if not len(stalls):
        return None
    total_s = sum((o.end_ns - o.start_ns) / 1e9 * max(len(o.workers), 1) for o in measured.observations)
    share = float(stalls.sum()) / 1000 / total_s if total_s > 0 else 1.0
    count = max((len(o.workers) for o in measured.observations), default=0)
    of_whom = f" of {count} workers" if count > 1 else ""
    fill = "fills" if len(stalls) == 1 else "fill"
    figure = (
        f"{counted(len(stalls), 'stall')} above {milliseconds(STALL_MS)} {fill} {percent(share)} of the window{of_whom}"
    )
    is_fatal = share > STALL_SHARE
    return Caveat("client stalled", figure, relief(measured), is_fatal, _KIND if is_fatal else "")


def client_fell_behind(measured: Measured) -> Caveat | None:
    """Open loop: what was due in a window and neither sent nor dropped was left undone by us.

    One request of each worker may be due in the very instant in which `max_duration` ends the window.
    """
    counts = [(_begun(o), o.planned, max(len(o.workers), 1)) for o in measured.observations if o.planned]
    late = [(begun / planned, begun, planned) for begun, planned, spare in counts if planned - begun > spare]
    share, begun, planned = min(late, default=(1.0, 0, 0))
    if share >= LEAST_BEGUN:
        return None
    figure = (
        f"{begun:,} of {counted(planned, 'planned request')} ({percent(share)}) were begun within the window,"
        f" at least {percent(LEAST_BEGUN)} wanted"
    )
    return Caveat("client could not keep up", figure, relief(measured), is_fatal=True, kind=_KIND)


def _begun(observation: Observation) -> int:
    """Measured requests that were sent, refused or dropped; not those that only waited for their turn."""
    return sum(
        record.phase is Phase.MEASURED and not (record.outcome is Outcome.CANCELLED and record.sent_ns is None)
        for record in observation.records
    )


def client_core_is_full(measured: Measured) -> Caveat | None:
    """A client at its limit reads its sockets late, which slows the server down through them."""
    worker = _busiest(measured.workers)
    if worker is None or worker.cpu_share is None or worker.cpu_share < BUSY_CORE:
        return None
    is_fatal = worker.cpu_share >= FULL_CORE
    rule = "client used its whole core" if is_fatal else "client used most of its core"
    limit = f"less than {percent(FULL_CORE)} allowed"
    figure = f"{_named(worker)} used {percent(worker.cpu_share)} of its core, {limit}"
    return Caveat(rule, figure, relief(measured), is_fatal, _KIND if is_fatal else "")


def client_machine_is_full(measured: Measured) -> Caveat | None:
    """Workers of which none fills a core may fill all of them together."""
    totals = [
        sum(w.cpu_share or 0.0 for w in o.workers if not w.node) for o in measured.observations if len(o.workers) > 1
    ]
    cpus, most = measured.cpus, max(totals, default=0.0)
    if not cpus or most < FULL_CORE * cpus:
        return None
    figure = (
        f"the workers used {percent(most / cpus)} of {counted(cpus, 'CPU')}, less than {percent(FULL_CORE)} allowed"
    )
    return Caveat("client used its whole machine", figure, relief(measured), is_fatal=True, kind=_KIND)


def client_out_of_files(measured: Measured) -> Caveat | None:
    """A connection that our own limit of open files refused says nothing of the server."""
    return _refused_here(
        measured,
        OUT_OF_FILES,
        "client ran out of open files",
        "Raise the hard limit of open files (ulimit -Hn; LimitNOFILE in systemd, --ulimit nofile in Docker), raise"
        " load.workers so that each holds fewer connections, or use another machine",
    )


def client_out_of_ports(measured: Measured) -> Caveat | None:
    """A connection for which this machine had no local port left says nothing of the server."""
    return _refused_here(
        measured,
        OUT_OF_PORTS,
        "client ran out of local ports",
        "Widen net.ipv4.ip_local_port_range, or send from more client machines (load.engine: ray)",
    )


def _refused_here(measured: Measured, error_type: str, rule: str, remedy: str) -> Caveat | None:
    """Fillers count as well: without them the window did not carry the load that was asked for."""
    records = [r for o in measured.observations for r in o.records if r.phase is not Phase.WARMUP]
    refused = sum(record.error_type == error_type for record in records)
    if not refused:
        return None
    figure = f"{refused:,} of {counted(len(records), 'request')} could not be sent from this machine"
    return Caveat(rule, figure, remedy, is_fatal=True, kind=_KIND)


def other_clocks(measured: Measured) -> Caveat | None:
    """Workers on other machines stamp by their own clocks, which are known to ours within an error only."""
    away = [worker for worker in measured.workers if worker.node]
    if not away:
        return None
    worst = max(away, key=lambda worker: worker.clock_error_ns)
    error_ms, limit = worst.clock_error_ns / 1e6, allowed_ms(measured)
    figure = (
        f"clocks of other machines are known within {milliseconds(error_ms)} ({_named(worst)});"
        " TTFT, TPOT and E2E are each taken on one clock and are not touched by it"
    )
    if error_ms <= limit:
        remedy = "Read due instants and the edges of windows with this error"
        return Caveat("workers on other machines", figure, remedy)
    figure += f"; at most {milliseconds(limit)} allowed, since due instants and the edges of windows rest on it"
    remedy = "Use nodes with a shorter and quieter way to this one, or workers on this machine (load.engine: local)"
    return Caveat("workers on other machines", figure, remedy, is_fatal=True, kind="ClockTrouble")


def requests_were_dropped(measured: Measured) -> Caveat | None:
    """At `max_in_flight` nothing more is sent: the server's doing while we were on time, ours otherwise."""
    dropped = measured.metrics.dropped
    if not dropped:
        return None
    most = f"{measured.scenario.load.max_in_flight:,}"
    shared = " (each worker has its share of them)" if max(len(o.workers) for o in measured.observations) > 1 else ""
    figure = (
        f"{dropped:,} of {counted(measured.metrics.attempts, 'request')}"
        f" ({percent(dropped / measured.metrics.attempts)}) were due while {most} were in flight{shared};"
        " none of them is good"
    )
    remedy = _room_for(measured)
    if any(rule(measured) for rule in (client_is_late, client_core_is_full, client_fell_behind)):
        remedy = "Mend the client first: while it is late, these may be its own doing"
    return Caveat("requests were dropped", figure, remedy)


def _room_for(measured: Measured) -> str:
    """Little's law tells a cap that is too low for the rate from a server that is too slow for it."""
    step, e2e = measured.observations[0].look.step, measured.metrics.latency.get("e2e")
    if step.axis != "rate" or e2e is None:
        return "Raise load.max_in_flight if more are to wait; else slow the load down, or give the server more capacity"
    needed = math.ceil(step.value * e2e.p99_ms / 1000)
    return (
        f"At this rate, and {milliseconds(e2e.p99_ms)} each (p99), up to {needed:,} are in flight: raise"
        " load.max_in_flight above that if the server is to carry them; else lower load.rate, or give it more capacity"
    )


# ---------------------------------------------------------------- figures and remedies


def allowed_ms(measured: Measured) -> float:
    """How late a client may be: 5 % of the median TTFT, and never less than 10 ms."""
    summary = measured.metrics.latency.get("ttft") or measured.metrics.latency.get("e2e")
    return max(LEAST_LATENESS_MS, LATENESS_SHARE * summary.p50_ms) if summary else LEAST_LATENESS_MS


def heartbeats_ms(observations: Iterable[Observation]) -> Floats:
    """Lateness of every heartbeat of every worker."""
    return np.concatenate([np.empty(0), *map(_late_ms, observations)])


def _late_ms(observation: Observation) -> Floats:
    return np.frombuffer(observation.heartbeat_late_ns.tobytes(), dtype=np.int64) / 1e6


def _beats_by_worker(observations: Iterable[Observation]) -> dict[str, Floats]:
    """Each worker's heartbeats over all windows; one share of all where the windows do not tell whose is which."""
    found: dict[str, list[Floats]] = {}
    for observation in observations:
        late, workers = _late_ms(observation), observation.workers
        if not workers or sum(worker.beats for worker in workers) != len(late):
            found.setdefault("", []).append(late)
            continue
        ends = np.cumsum([worker.beats for worker in workers])
        for worker, part in zip(workers, np.split(late, ends[:-1]), strict=True):
            found.setdefault(_named(worker), []).append(part)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _of(name: str, workers: int) -> str:
    return f" of {name}" if name and workers > 1 else ""


def _named(worker: WorkerFacts) -> str:
    return f"worker {worker.number}" + (f" on {worker.node}" if worker.node else "")


def _busiest(workers: Iterable[WorkerFacts]) -> WorkerFacts | None:
    return max((w for w in workers if w.cpu_share is not None), key=lambda w: w.cpu_share or 0.0, default=None)


def relief(measured: Measured) -> str:
    """What would help a client at its limit: more workers, an idle core, another machine; what fits best first."""
    count = max((len(o.workers) for o in measured.observations), default=0)
    cpus, busiest = measured.cpus, _busiest(measured.workers)
    away = "another machine (load.engine: ray)"
    if any(worker.node for worker in measured.workers):
        said = f"Use more workers (load.workers, {count} now) or more nodes, or give each worker an idle core"
    elif busiest is not None and (busiest.cpu_share or 0.0) < IDLE_CORE:
        used = percent(busiest.cpu_share or 0.0)
        said = f"Give the load generator an idle core or {away}: something else took its core, of which it used {used}"
    elif count and cpus and count >= cpus:
        said = f"Use {away}, or give each worker an idle core: {counted(count, 'worker')} share {counted(cpus, 'CPU')}"
    else:
        now = f", {count} now on {counted(cpus, 'CPU')}" if count and cpus else ""
        said = f"Use more workers (load.workers{now}), give the load generator an idle core, or use {away}"
    if _goes_through_httpx(measured):
        said = (
            f"Write target.transport: fast where no proxy or HTTP/2 is wanted; httpx costs far more CPU. Else: {said}"
        )
    return said


def _goes_through_httpx(measured: Measured) -> bool:
    carried = (caveat.rule for observation in measured.observations for caveat in observation.caveats)
    return measured.scenario.target.transport == "httpx" or "slower transport" in carried
