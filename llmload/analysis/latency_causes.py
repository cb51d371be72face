"""Why a latency is longer for us than the server tells, once both speak of the same requests."""

from __future__ import annotations

import numpy as np

from llmload.analysis.client import heartbeats_ms
from llmload.analysis.sides import Explained, Sides
from llmload.analysis.stats import percentiles
from llmload.analysis.wording import milliseconds, percent
from llmload.domain import Outcome
from llmload.serving import Check

_LATENCIES = ("ttft", "e2e", "tpot")
_ENOUGH = 0.5
"""A cause explains a gap from this share of it on."""

_A_TOKEN = 1.5
"""Tokens that may come without text at first, such as one that opens a role; more are no habit of servers."""

_NS_PER_MS = 1e6


def client_queue(sides: Sides) -> Explained | None:
    """A client that reads its sockets late sees everything late; what it says of itself comes first."""
    mine = sides.among(*(name for name in _LATENCIES if sides.client_above(name)))
    check = _first(mine)
    if check is None:
        return None
    told = _lateness(sides, check)
    if not told:
        return None
    clauses = [f"the load generator itself was late ({told}), and that time is in our figure only"]
    return mine.finding("client_queue", check, [*clauses, "mend the client first"])


def _lateness(sides: Sides, check: Check) -> str:
    """What speaks of a client as late as the gap is long; "" where nothing does.

    A client that is told to be late may be so at its worst, and the gap is one of means: at its worst it is held
    against it. TPOT is a gap of tokens, of which many may be read at one late instant.
    """
    beats, enough_ms = heartbeats_ms(sides.windows), _ENOUGH * (check.client - check.server)
    if not len(beats):
        return ""
    caveat = next((caveat for caveat in sides.result.caveats if caveat.kind == "ClientSaturated"), None)
    if caveat is not None and (check.figure == "tpot" or percentiles(beats, (99,))[0] >= enough_ms):
        return f"{caveat.rule}: {caveat.figure}"
    mean_ms = float(np.mean(beats))
    is_late = check.figure != "tpot" and mean_ms >= enough_ms
    return f"its heartbeats came {milliseconds(mean_ms)} late on average" if is_late else ""


def on_the_way(sides: Sides) -> Explained | None:
    """Requests or their first text spend time between us and the server."""
    check = sides.client_above("ttft") or (sides.client_above("e2e") if sides.check("ttft") is None else None)
    if check is None:
        return None
    if check.figure == "ttft" and _is_held_back(sides):
        return _held_back(sides, check)
    gap_ms = check.client - check.server
    clauses = [
        f"{milliseconds(gap_ms)} of each request lies between client and server: network, TLS, a proxy or a gateway,"
        " or the server's front end before its own clock begins",
        *_evidence(sides, check, gap_ms),
        "measure beside the server, without what is between, and compare",
    ]
    longer = [name for name in _LATENCIES if sides.client_above(name)]
    return sides.among(*longer).finding("network", check, clauses)


def _evidence(sides: Sides, check: Check, gap_ms: float) -> list[str]:
    told = []
    if "tpot" in sides.agreeing:
        told.append("TPOT agrees, so answers flow as the server sends them")
    e2e = sides.check("e2e")
    if check.figure == "ttft" and e2e is not None and abs(e2e.client - e2e.server - gap_ms) <= _ENOUGH * gap_ms:
        told.append("E2E is longer by about as much")
    if check.figure == "ttft" and (pace := sides.check("tpot")) is not None and gap_ms <= _A_TOKEN * pace.client:
        told.append(f"a token takes {milliseconds(pace.client)}, so a first one without text would explain it, too")
    connects = [r.connect_ns for w in sides.windows for r in w.records if r.connect_ns and r.outcome is Outcome.OK]
    if connects:
        connect_ms = float(np.mean(connects)) / _NS_PER_MS
        takes = f"a connection is made in {milliseconds(connect_ms)}"
        is_short = connect_ms < _ENOUGH * gap_ms
        told.append(
            f"{takes}, so the way is short and something on it waits" if is_short else f"{takes}: the way is long"
        )
    return told


def _is_held_back(sides: Sides) -> bool:
    """TTFT later, the pace then quicker than the server's own, and the end in time."""
    return sides.server_above("tpot") is not None and "e2e" not in sides.apart


def _held_back(sides: Sides, check: Check) -> Explained:
    clauses = [
        "something between client and server holds text back and lets it go in bursts, as a proxy that buffers does",
        *_shared(sides),
        "turn off its buffering, or name the server itself in target.url",
    ]
    return sides.among("ttft", "tpot").finding("network", check, clauses)


def _shared(sides: Sides) -> list[str]:
    share = sides.result.metrics.shared_reads
    return [f"{percent(share)} of text events shared one read with another"] if share else []


def late_text(sides: Sides) -> Explained | None:
    """The first text is in time, and the others come slower than they are made."""
    check = sides.client_above("tpot") or sides.client_above("e2e")
    if check is None:
        return None
    gap = milliseconds(check.client - check.server)
    each = "token" if check.figure == "tpot" else "answer"
    clauses = [
        f"each {each} takes {gap} longer to us than the server says: something between gathers text or slows it down",
        *_shared(sides),
        "measure beside the server, without what is between, and compare",
    ]
    return sides.among(*(name for name in ("tpot", "e2e") if sides.client_above(name))).finding(
        "network", check, clauses
    )


def measured_elsewhere(sides: Sides) -> Explained | None:
    """Nothing on the way makes a latency shorter than it was in the server."""
    mine = sides.among(*_LATENCIES)
    check = _first(mine)
    if check is None:
        return None
    clauses = [
        "the server tells more than we saw, which nothing between can make: it measures between other points, or over"
        " other requests",
        "go by the client's figure, which is what users meet",
    ]
    return mine.finding("definition", check, clauses)


def _first(sides: Sides) -> Check | None:
    return next((sides.apart[name] for name in ("ttft", "tpot", "e2e") if name in sides.apart), None)
