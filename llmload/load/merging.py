"""What the workers of one window left behind, as one observation on our own clock."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, WorkerFacts
from llmload.load.clock import Clock
from llmload.load.crew import Crew
from llmload.load.window import Window
from llmload.promises import slo_of

_WORST_LAST = (Ending.COMPLETE, Ending.FUTILE, Ending.MAX_DURATION, Ending.GUARD, Ending.INTERRUPTED)


def merge(
    window: Window, seen: Sequence[Observation], crew: Crew, nodes: Sequence[str], clocks: Sequence[Clock]
) -> Observation:
    """One observation of all: it begins with the first measured request and ends with the last."""
    shifted = [_on_our_clock(observation, clock.offset_ns) for observation, clock in zip(seen, clocks, strict=True)]
    ending = max((observation.ending for observation in shifted), key=_WORST_LAST.index)
    records = [record for observation in shifted for record in observation.records]
    late_ns = array("q")
    for observation in shifted:
        late_ns += observation.heartbeat_late_ns
    planned = [observation.planned for observation in shifted if observation.planned is not None]
    workers = [
        replace(
            _facts(observation),
            node=node,
            clock_error_ns=clock.error_ns,
            beats=len(observation.heartbeat_late_ns),
        )
        for observation, node, clock in zip(shifted, nodes, clocks, strict=True)
    ]
    measuring = [observation for observation in shifted if _has_measured(observation)] or shifted
    start_ns = min(observation.start_ns for observation in measuring)
    return Observation(
        look=window.look,
        records=tuple(sorted(_given_up(records, window, ending), key=lambda record: record.seq)),
        start_ns=start_ns,
        end_ns=max(start_ns, *(observation.end_ns for observation in measuring)),
        ending=ending,
        heartbeat_late_ns=late_ns,
        caveats=tuple(dict.fromkeys(caveat for observation in shifted for caveat in observation.caveats)),
        planned=sum(planned) if planned else None,
        workers=tuple(workers),
        workers_because=crew.because,
    )


def _facts(observation: Observation) -> WorkerFacts:
    (facts,) = observation.workers
    return facts


def _has_measured(observation: Observation) -> bool:
    """A shard may have no measured request; when its worker was told of the end says nothing of the window's."""
    return any(record.phase is Phase.MEASURED for record in observation.records)


def _on_our_clock(observation: Observation, offset_ns: int) -> Observation:
    if not offset_ns:
        return observation
    return replace(
        observation,
        records=tuple(_shifted(record, offset_ns) for record in observation.records),
        start_ns=observation.start_ns - offset_ns,
        end_ns=observation.end_ns - offset_ns,
    )


def _shifted(record: RequestRecord, offset_ns: int) -> RequestRecord:
    return replace(
        record,
        due_ns=record.due_ns - offset_ns,
        sent_ns=None if record.sent_ns is None else record.sent_ns - offset_ns,
        done_ns=record.done_ns - offset_ns,
        answer_ns=None if record.answer_ns is None else record.answer_ns - offset_ns,
        call_ns=None if record.call_ns is None else record.call_ns - offset_ns,
        event_ns=array("q", [instant - offset_ns for instant in record.event_ns]),
    )


def _given_up(records: Sequence[RequestRecord], window: Window, ending: Ending) -> Sequence[RequestRecord]:
    """Requests that `max_duration` cut off, as timeouts where they had already broken what they were to keep.

    Hanging up is our doing and says nothing of a request that was on its way; but a server that hangs would
    otherwise pass, since cancelled requests leave every denominator. It had its chance when it took longer than
    any request of the window that completed, or than the SLO allows.
    """
    if ending is not Ending.MAX_DURATION:
        return records
    completed = (r for r in records if r.phase is Phase.MEASURED and r.outcome is Outcome.OK)
    longest_ns = max(map(_waited_ns, completed), default=0)
    return [_timed_out(record, window, longest_ns) for record in records]


def _timed_out(record: RequestRecord, window: Window, longest_ns: int) -> RequestRecord:
    if record.outcome is not Outcome.CANCELLED or record.phase is not Phase.MEASURED or record.sent_ns is None:
        return record
    waited_ns, slo = _waited_ns(record), slo_of(window.slo, record.part.traffic_class)
    limits_ns = [longest_ns]
    if slo is not None and slo.e2e_ms is not None:
        limits_ns.append(round(slo.e2e_ms * 1e6))
    if slo is not None and slo.ttft_ms is not None and not record.event_ns:
        limits_ns.append(round(slo.ttft_ms * 1e6))
    if waited_ns <= min(limits_ns):
        return record
    text = f"not complete after {waited_ns / 1e9:.3g} s, when max_duration ended the window"
    return replace(record, outcome=Outcome.TIMEOUT, error_type="TIMEOUT_WINDOW", error_text=text)


def _waited_ns(record: RequestRecord) -> int:
    return 0 if record.sent_ns is None else record.done_ns - record.sent_ns
