"""From a scenario and what the probe learnt to the plan of one look: what its requests say, and when they are due."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from llmload.domain import TokenFit, TokenSource
from llmload.errors import DataFileError
from llmload.planned import LongestConversation, Look, PlannedRequest, Room
from llmload.scenario.asked import ClosedLoop, OpenLoop, Scenario, Trace
from llmload.scenario.corpus import Stretch
from llmload.scenario.file_kinds import changed
from llmload.scenario.length_file import open_lengths
from llmload.scenario.lengths import Fixed, LengthFile, LengthPairs
from llmload.scenario.prompt_rows import CHARACTERS_PER_TOKEN
from llmload.scenario.recording import Recording
from llmload.scenario.trace_file import open_recording
from llmload.scenario.traffic import Mixture, NoiseImages, PromptFile, Sessions, Synthetic, Workload
from llmload.workload.choosing import choose, longest_conversation, longest_row
from llmload.workload.file_plan import FilePlan
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.lengths import longest
from llmload.workload.mixed_plan import MixedPlan, class_seed, mixed_plan
from llmload.workload.pace import Arrivals, Pace, Ramp, Replay, Slots
from llmload.workload.plan import Plan, Rows
from llmload.workload.session_plan import SessionPlan

_LONGEST_LEAD_GAP_NS = 250_000_000


def plan_look(
    scenario: Scenario, look: Look, fit: TokenFit, *, run: str = "", rows: Stretch | Mapping[str, Stretch] | None = None
) -> Plan | FilePlan | MixedPlan | SessionPlan | FileSessionPlan:
    """Every request of `look`, or every conversation. `run` (the run's id) keeps its prompts apart from earlier ones'.

    `rows` are those of a file that this window is given, in a mixture of each class by its name; without them, it
    begins with the first.
    """
    workload, prompts = scenario.workload, scenario.workload.prompts
    window = _Window(scenario, look, fit, run)
    if not isinstance(prompts, Mixture):
        plan = _plan(window, workload, prompts, rows if isinstance(rows, Stretch) else None)
        if workload.sessions is None:
            return plan
        slots = int(look.step.value)
        if isinstance(plan, FilePlan):
            return FileSessionPlan(plan, workload.sessions, slots)
        return SessionPlan(plan, workload.sessions, slots)
    given = rows if isinstance(rows, Mapping) else {}
    plans = {
        each.name: _plan(
            window, replace(workload, seed=class_seed(workload.seed, each.name)), each.prompts, given.get(each.name)
        )
        for each in prompts.classes
    }
    return mixed_plan(prompts.classes, (workload.seed, look.step.index, look.number), plans)


@dataclass(frozen=True, slots=True)
class _Window:
    scenario: Scenario
    look: Look
    fit: TokenFit
    run: str


def _plan(
    window: _Window, workload: Workload, prompts: Synthetic | PromptFile, rows: Stretch | None
) -> Plan | FilePlan:
    """The plan of requests of one kind, by the seed of `workload`."""
    scenario, look, shape = window.scenario, window.look, window.scenario.load.shape
    if isinstance(prompts, PromptFile):
        given = rows or Stretch(0, look.requests + _warmup(scenario, look))
        chosen = choose(workload, prompts, look, given.first, given.count)
        return FilePlan(
            workload.seed, look.step.index, look.number, chosen, prompts.output_tokens, prompts.unique, window.run
        )
    return Plan(
        seed=workload.seed,
        step=look.step.index,
        look=look.number,
        input_tokens=prompts.input_tokens,
        output_tokens=prompts.output_tokens,
        unique=prompts.unique,
        fit=window.fit,
        run=window.run,
        rows=Rows(recording_of(shape), _warmup(scenario, look)) if isinstance(shape, Trace) else None,
        pairs=None if prompts.lengths is None else pairs_of(prompts.lengths),
        prefix=prompts.shared_prefix,
        images=prompts.images,
    )


def pace_of(scenario: Scenario, look: Look) -> Pace:
    """When the requests of `look` are due. Only the first look at a step in each climb is reached by a ramp."""
    shape, seed = scenario.load.shape, scenario.workload.seed
    key = int.from_bytes(blake2b(f"{seed}/{look.step.index}/{look.number}".encode(), digest_size=8).digest())
    match shape:
        case ClosedLoop(concurrency):
            return Slots(int(look.step.value), _ramp(scenario, look, concurrency))
        case OpenLoop(rate_per_s, arrival):
            return Arrivals(look.step.value, arrival, key, _ramp(scenario, look, rate_per_s))
        case Trace(speed=speed):
            due_ns = array("q", (round(at_ns / speed) for at_ns in recording_of(shape).at_ns))
            mean_gap_ns = due_ns[-1] // max(1, len(due_ns) - 1) or _LONGEST_LEAD_GAP_NS
            return Replay(due_ns, _warmup(scenario, look), min(mean_gap_ns, _LONGEST_LEAD_GAP_NS))


def warmup_of(scenario: Scenario, look: Look) -> int:
    """Warm-up requests of a window beside those that its pace leads with; those of a replay all are such."""
    return 0 if isinstance(scenario.load.shape, Trace) else _warmup(scenario, look)


def recording_of(trace: Trace) -> Recording:
    """The recording that a trace names. DataFileError where the file is gone, or another one than was checked."""
    recording = open_recording(trace.file)
    if trace.sha256 not in (None, recording.sha256):
        problem = "changed since the scenario was read"
        raise DataFileError(trace.file, problem, "Start again, and leave it alone while a run reads it")
    return recording


def pairs_of(lengths: LengthFile) -> LengthPairs:
    """The rows of a file of lengths. DataFileError where it is gone, or another one than was checked."""
    opened = open_lengths(lengths.path, lengths.input_column, lengths.output_column)
    if lengths.found.sha256 not in ("", opened.found.sha256):
        raise changed(lengths.path)
    return opened.pairs


def longest_request(scenario: Scenario) -> PlannedRequest | LongestConversation | Room:
    """What a server must have room for: of a file its longest row, of a trace its longest measured request.

    Of a mixture, what asks for most of all its classes.
    """
    prompts = scenario.workload.prompts
    if isinstance(prompts, PromptFile) and scenario.workload.sessions is not None:
        return longest_conversation(scenario.workload, prompts)
    if not isinstance(prompts, Mixture):
        return _longest(scenario, prompts)
    return max((_longest(scenario, each.prompts) for each in prompts.classes), key=_extent)


def _extent(asked: PlannedRequest | Room) -> float:
    """Tokens in all; of a text, as many as a language of four characters a token would have."""
    if isinstance(asked, Room):
        images = 0 if asked.sample is None else len(str(asked.sample.conversation)) / CHARACTERS_PER_TOKEN
        return asked.input_tokens + asked.output_tokens + images
    return len(str(asked.conversation)) / CHARACTERS_PER_TOKEN + asked.output_tokens


def _longest(scenario: Scenario, prompts: Synthetic | PromptFile) -> PlannedRequest | Room:
    found = _longest_text(scenario, prompts)
    if isinstance(prompts, Synthetic) and isinstance(found, Room) and prompts.images is not None:
        return replace(found, sample=_sample(scenario, prompts.images))
    return found


def _longest_text(scenario: Scenario, prompts: Synthetic | PromptFile) -> PlannedRequest | Room:
    shape = scenario.load.shape
    if isinstance(prompts, PromptFile):
        row = longest_row(scenario.workload, prompts)
        return row if prompts.output_tokens is None else replace(row, output_tokens=longest(prompts.output_tokens))
    if (sessions := scenario.workload.sessions) is not None:
        return _last_turn(sessions, prompts)
    if prompts.lengths is not None:
        pairs_of(prompts.lengths)  # that it is still the same is better known before anything is sent
        return Room(prompts.lengths.found.longest_input_tokens, prompts.lengths.found.longest_output_tokens)
    if not isinstance(shape, Trace):
        return Room(longest(prompts.input_tokens), longest(prompts.output_tokens))
    recording, requests = recording_of(shape), scenario.load.requests
    lengths = zip(recording.input_tokens[:requests], recording.output_tokens[:requests], strict=True)
    prompt, answer = max(lengths, key=lambda each: each[0] + each[1])
    return Room(prompt, answer)


def _sample(scenario: Scenario, images: NoiseImages) -> PlannedRequest:
    """One word with its images, which no window sends."""
    one = Fixed(1)
    fit = TokenFit(0.0, 1.0, 0.0, TokenSource.ESTIMATE)
    return Plan(scenario.workload.seed, 0, 0, one, one, unique=True, fit=fit, run="longest", images=images).request(0)


def _last_turn(sessions: Sessions, prompts: Synthetic) -> Room:
    """The last request of the longest conversation sends every message and answer before it."""
    if prompts.lengths is None:
        prompt, answer, most = longest(prompts.input_tokens), longest(prompts.output_tokens), 0
    else:
        prompt, answer = prompts.lengths.found.longest_input_tokens, prompts.lengths.found.longest_output_tokens
        most = max(pairs_of(prompts.lengths).output_tokens)  # of any row, beside other messages than its own
    own, further = sessions.input_tokens, longest(sessions.turns) - 1
    each = prompt + answer if own is None else max(most, answer) + longest(own)
    return Room(prompt + further * each, answer, further)


def _warmup(scenario: Scenario, look: Look) -> int:
    shape, level = scenario.load.shape, look.step.value
    if isinstance(shape, Trace):
        level = recording_of(shape).level(shape.speed)
    return scenario.load.warmup_for(max(1, round(level)))


def _ramp(scenario: Scenario, look: Look, levels: Sequence[float]) -> Ramp | None:
    seconds, place = scenario.load.ramp_s, look.step.index
    if not seconds or (look.number and not look.repeat):  # further climbs have one look each
        return None
    return Ramp(float(levels[place - 1]) if place else 0.0, seconds)
