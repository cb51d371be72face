"""Why client and server tell different counts, and what else the server's own figures say of a step.

Each rule looks at what no rule before it has explained, and tells one cause with its evidence and what to do.
"""

from __future__ import annotations

from collections.abc import Callable

from llmload.analysis.latency_causes import client_queue, late_text, measured_elsewhere, on_the_way
from llmload.analysis.server_work import MS_PER_S, mean_ms_in
from llmload.analysis.sides import (
    Explained,
    Sides,
    also_apart,
    amount,
    others_at_edges,
    others_in_hand,
    told_counts,
)
from llmload.analysis.throttling import throttling_in
from llmload.analysis.validity import CACHED_SHARE, THROTTLED
from llmload.analysis.wording import counted, milliseconds, percent
from llmload.domain import TokenSource
from llmload.samples import POWER_CAP
from llmload.serving import Check
from llmload.verdict import Finding

QUEUE_SHARE, QUEUE_MS = 0.20, 10.0
"""From which share of TTFT, and from which mean time, the server's own queue is told."""
_STEPS_TO_BEGIN = 2.0
"""Where requests are batched continuously, a new one waits for the end of the step that runs, which is no queue; two
steps' time, as TPOT tells it, where several come at once.
"""

_ALL_IN_HAND = 0.95
_SLOWER = 0.95
"""Of the clock of a GPU: what is lost above is not worth a word."""

# ---------------------------------------------------------------- counts


def _other_traffic(sides: Sides) -> Explained | None:
    """More requests than ours; or more tokens, where it counts no requests or its gauges show those of others."""
    more = sides.server_above("requests")
    in_hand, at_edges = others_in_hand(sides.windows), others_at_edges(sides.windows)
    tokens = sides.server_above("output_tokens") or sides.server_above("input_tokens")
    if more is not None and (tokens is not None or not _has_agreeing_tokens(sides)):
        clause = f"it counted {counted(round(more.server - more.client), 'request')} more than we sent"
    elif tokens is not None and "requests" not in sides.apart and (in_hand or at_edges or _is_work(sides)):
        more, clause = tokens, "it counted tokens of requests that we did not send"
    elif not told_counts(sides.windows) and (in_hand or at_edges):
        return _other_traffic_by_gauges(sides, in_hand, at_edges)
    else:
        return None
    clauses = [f"the server had work that is not ours: {clause}", *_in_hand(in_hand, at_edges)]
    return sides.finding("other_traffic", more, [*clauses, "measure on a server that nobody else uses"])


def _is_work(sides: Sides) -> bool:
    """Whether tokens tell whose work it was: both kinds are apart to the same side, counted by the server alone, and
    it counts no requests that could tell better.
    """
    both = [sides.apart.get(name) for name in ("input_tokens", "output_tokens")]
    is_one_sided = all(c is not None and c.server > c.client for c in both) or all(
        c is not None and c.server < c.client for c in both
    )
    return is_one_sided and sides.check("requests") is None and _counted_by(sides) is TokenSource.USAGE


def _has_agreeing_tokens(sides: Sides) -> bool:
    return bool(sides.agreeing & {"output_tokens", "input_tokens"})


def _in_hand(more: float, at_edges: float) -> list[str]:
    told = []
    if more:
        told.append(f"it had {counted(round(more), 'request')} more in hand than we had in flight")
    if at_edges:
        told.append(f"it had {counted(round(at_edges), 'request')} in hand while we had none in flight")
    return told


def _other_traffic_by_gauges(sides: Sides, in_hand: float, at_edges: float) -> Explained:
    """Of a server that counts nothing; its latencies are not ours alone either."""
    first, *more = _in_hand(in_hand, at_edges)
    apart = also_apart(list(sides.apart.values()))
    clauses = [f"the server had work that is not ours: {first}", *more, *apart]
    finding = Finding(
        subject="requests in hand",
        expected="no request of others",
        actual=f"{counted(round(in_hand or at_edges), 'request')} of others",
        cause="; ".join([*clauses, "measure on a server that nobody else uses"]),
        step=sides.result.step.label,
        kind="other_traffic",
    )
    return Explained(finding, frozenset(sides.apart))


def _elsewhere(sides: Sides) -> Explained | None:
    """Fewer requests than were answered, and no more tokens than belong to them; or fewer of both kinds of tokens."""
    fewer = sides.client_above("requests")
    if fewer is None and _is_work(sides):
        fewer = sides.client_above("output_tokens")
    if fewer is None or (fewer.figure == "requests" and _has_agreeing_tokens(sides)):
        return None
    clauses = [
        f"the server counted {amount(fewer, fewer.client - fewer.server)} fewer than we know of",
        _who_served(fewer),
        "name the page of all that serves in telemetry.server_metrics, or send to one replica",
    ]
    return sides.finding("elsewhere", fewer, clauses)


def _who_served(fewer: Check) -> str:
    if fewer.server == 0:
        return "it counted none of them, so its metrics page is that of another server or of a replica that had none"
    return (
        "something else served part of them that its metrics page does not cover, such as another replica"
        " behind the same address"
    )


def _counts_otherwise(sides: Sides) -> Explained | None:
    """The same work in tokens, and another number of requests."""
    check = sides.apart.get("requests")
    if check is None:
        return None
    why = (
        "its counter of requests leaves some of their endings out"
        if check.client > check.server
        else "what else it counted brought no work to speak of, such as health checks"
    )
    clauses = ["tokens agree, so the same work was done", why, "go by the tokens"]
    return sides.among("requests").finding("definition", check, clauses)


_COUNTED_BY = {
    TokenSource.USAGE: (
        "ours are the usage that each answer carries, the server's are its own counter",
        "send one request by hand, and hold its usage against the counter",
    ),
    TokenSource.TOKENIZER: (
        "ours were counted here by the tokenizer of the scenario, which may not be the server's, or leaves out"
        " what its template adds",
        "Let the server report usage, or name the model's tokenizer.json in spec.workload.tokenizer",
    ),
    TokenSource.TIKTOKEN: (
        "ours were counted here by tiktoken, which is not the server's tokenizer",
        "Let the server report usage, or name the model's tokenizer.json in spec.workload.tokenizer",
    ),
    TokenSource.ESTIMATE: (
        "ours are only estimated from characters",
        "Let the server report usage, or name the model's tokenizer.json in spec.workload.tokenizer",
    ),
}


def _token_count(sides: Sides) -> Explained | None:
    """Output tokens first; TPOT is divided by them, so that it cannot agree either."""
    mine = sides.among("output_tokens", "input_tokens", *(["tpot"] if "output_tokens" in sides.apart else []))
    check = mine.apart.get("output_tokens") or mine.apart.get("input_tokens")
    if check is None:
        return None
    why, remedy = _COUNTED_BY[_counted_by(sides)]
    clauses = [f"client and server count tokens differently: {why}"]
    if check.server > check.client and (again := round(sides.counted("preemptions") or 0)):
        clauses.append(f"{counted(again, 'preemption')} made it compute some tokens again, which it may count twice")
    return mine.finding("token_count", check, [*clauses, remedy])


def _counted_by(sides: Sides) -> TokenSource:
    """Who counted the tokens of most answers on our side."""
    sources = sides.result.metrics.token_sources
    return TokenSource(max(sources, key=lambda name: sources[name])) if sources else TokenSource.USAGE


# ---------------------------------------------------------------- what the server tells of itself


def _server_queue(sides: Sides) -> Explained | None:
    """A queue that makes much of TTFT, or of E2E where there is none: this load is above what the server takes on."""
    waited_ms = None if _is_of_another_server(sides) else _waited_ms(sides)
    measured = [(name, check.client) for name in ("ttft", "e2e") if (check := sides.check(name)) is not None]
    shown = sides.result.metrics.latency
    measured += [(name, ms) for name in ("ttft", "e2e") if name in shown and (ms := shown[name].mean_ms) is not None]
    floor_ms = max(QUEUE_MS, _STEPS_TO_BEGIN * _step_ms(sides))
    if waited_ms is None or waited_ms <= floor_ms or not measured:
        return None
    name, whole_ms = measured[0]
    if waited_ms <= QUEUE_SHARE * whole_ms:
        return None
    share = percent(waited_ms / max(waited_ms, whole_ms))
    clauses = [f"requests wait in the server's own queue before it begins with them, {share} of {name.upper()}"]
    finding = Finding(
        subject="mean queue time",
        expected=_allowed_wait(name, whole_ms, floor_ms),
        actual=milliseconds(waited_ms),
        cause="; ".join([*clauses, *_how_full(sides, waited_ms), "lower the load, or give the server more capacity"]),
        step=sides.result.step.label,
        kind="server_queue",
    )
    return Explained(finding)


def _is_of_another_server(sides: Sides) -> bool:
    """Whether a page counted none of our work: whoever waits there does not wait with us."""
    counts = [check for name in ("requests", "output_tokens") if (check := sides.check(name)) is not None]
    return bool(counts) and all(check.client > 0 and check.server == 0 for check in counts)


def _step_ms(sides: Sides) -> float:
    """How long one step of the server takes, as TPOT tells it; 0 where nobody knows."""
    server, ours = sides.result.server, sides.result.metrics.latency.get("tpot")
    told = None if server is None else server.tpot_ms
    return told or (0.0 if ours is None else ours.mean_ms or 0.0)


def _allowed_wait(name: str, whole_ms: float, floor_ms: float) -> str:
    """The larger of a share of the whole latency and of what no queue is told below, in the unit of the wait."""
    if QUEUE_SHARE * whole_ms < floor_ms:
        return f"at most {milliseconds(floor_ms)}"
    return f"at most {milliseconds(QUEUE_SHARE * whole_ms)}, {percent(QUEUE_SHARE)} of {name.upper()}"


def _waited_ms(sides: Sides) -> float | None:
    """As the server tells it, else by Little's law: those that wait, over those that come; a gauge that is mostly 0
    between its few samples tells of no queue.
    """
    server, rps = sides.result.server, sides.result.metrics.rps
    if (told := mean_ms_in(sides.windows, "queue_s")) is not None or server is None or not rps:
        return told
    return server.waiting / rps * MS_PER_S if server.waiting is not None and server.waiting >= 1 else None


def _how_full(sides: Sides, waited_ms: float) -> list[str]:
    """Samples may miss all that waits: their most is not told where the mean, by Little's law, is above it."""
    server, told = sides.result.server, []
    if server is None:
        return []
    mean = (sides.result.metrics.rps or 0.0) * waited_ms / MS_PER_S
    if (waiting := round(server.waiting_max or 0)) >= max(1.0, mean):
        told.append(f"up to {counted(waiting, 'request')} waited at a time")
    most = sides.facts.known.get("max_num_seqs")
    if isinstance(most, int) and server.running is not None and server.running >= _ALL_IN_HAND * most:
        told.append(f"it works on at most {most:,} at a time (max_num_seqs)")
    return told


def _preemption(sides: Sides) -> Explained | None:
    """Preempted requests lose their place in the KV cache, and are computed again."""
    count = round(sides.counted("preemptions") or 0)
    if not count:
        return None
    clauses = ["the KV cache had no room for all that was begun, so requests were put back and computed again"]
    server = sides.result.server
    if server is not None and server.kv_cache_share is not None:
        clauses.append(f"up to {percent(server.kv_cache_share)} of it was in use")
    clauses.append("lower the load or max_num_seqs, or give the server more KV cache")
    label = sides.result.step.label
    return Explained(Finding("preemptions", "0", f"{count:,}", "; ".join(clauses), step=label, kind="preemption"))


def _prefix_cache(sides: Sides) -> Explained | None:
    """Unique prompts share the server's template only. Where others used the server, the hits may be theirs; where the
    answers tell of them, too, it is a caveat of the step already.
    """
    if any(caveat.kind == "PrefixCacheHit" for caveat in sides.result.caveats):
        return None
    hits = sides.counted("prefix_cache_hits")
    looked_for = sides.counted("prefix_cache_queries")
    if hits is None or not looked_for:
        hits, looked_for = sides.counted("prompt_tokens_cached"), sides.counted("prompt_tokens")
    if not sides.scenario.workload.unique or hits is None or not looked_for or "other_traffic" in sides.kinds:
        return None
    template = 0.0 if sides.facts.fit is None else sides.facts.fit.template
    share = (hits - template * sides.sent) / looked_for
    if share <= CACHED_SHARE:
        return None
    clauses = [
        "prompts are unique here, and the server still knew them: from an earlier run, or because they begin alike",
        "this makes TTFT shorter than it is for new prompts",
        "Restart the server, or write prompts.synthetic.unique: false to measure with its cache",
    ]
    finding = Finding(
        subject="prefix-cache hits",
        expected=f"at most {percent(CACHED_SHARE)} of prompt tokens",
        actual=f"{percent(share)} of prompt tokens",
        cause="; ".join(clauses),
        step=sides.result.step.label,
        kind="prefix_cache",
    )
    return Explained(finding)


def _throttling(sides: Sides) -> Explained | None:
    """That a GPU was slowed down is a caveat of the step; where its clock fell, every latency of the step is longer."""
    found = throttling_in(sides.windows, ignored=POWER_CAP)
    if found is None or found.share <= THROTTLED or found.clock_mhz is None or found.free_clock_mhz is None:
        return None
    if found.clock_mhz > _SLOWER * found.free_clock_mhz:
        return None
    why = f"in {percent(found.share)} of the samples ({', '.join(found.reasons)})"
    finding = Finding(
        subject="GPU clock",
        expected=f"{found.free_clock_mhz:,.0f} MHz where nothing slows it down",
        actual=f"{found.clock_mhz:,.0f} MHz",
        cause=f"a GPU was slowed down {why}, and requests took longer for it; look at cooling and power supply",
        step=sides.result.step.label,
        kind="throttling",
    )
    return Explained(finding)


RULES: tuple[Callable[[Sides], Explained | None], ...] = (
    _other_traffic,
    _elsewhere,
    _counts_otherwise,
    _token_count,
    client_queue,
    on_the_way,
    late_text,
    measured_elsewhere,
    _server_queue,
    _preemption,
    _prefix_cache,
    _throttling,
)
"""In this order: other requests change every mean, and a late client every latency."""
