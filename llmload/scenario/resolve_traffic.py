"""What the judged document says of the traffic becomes what this program plans it from."""

from __future__ import annotations

from dataclasses import replace

from llmload.promises import Slo as SloTerms
from llmload.scenario import lengths as measured
from llmload.scenario import traffic
from llmload.scenario.corpus import NOT_READ, Found, Reading, TurnsFound
from llmload.scenario.document.lengths import Length, LengthFile, LognormalLengths, Spread, UniformLengths
from llmload.scenario.document.promises import Slo
from llmload.scenario.document.sessions import (
    DEFAULT_TURNS,
    MOST_TURNS,
    ExponentialTime,
    Sessions,
    ThinkTime,
    UniformTime,
)
from llmload.scenario.document.shared_prefix import SharedPrefix
from llmload.scenario.document.workload import Found as FoundRows
from llmload.scenario.document.workload import PromptFile, Prompts, Synthetic, TrafficClass, Workload
from llmload.scenario.lengths import Fixed, Lengths, Lognormal, Normal, Uniform

_DECIMALS = 9
_TENTHS_OF_A_PERCENT = 3
_NO_ANSWER = Fixed(0)
"""The length of what an embedding answers."""


def _lengths(length: Length) -> Lengths:
    match length:
        case int():
            return Fixed(length)
        case UniformLengths(uniform=[low, high]):
            return Uniform(low, high)
        case LognormalLengths(lognormal=spread):
            return Lognormal(spread.mean, spread.stdev, spread.min, spread.longest)
        case Spread():
            return Normal(length.mean, length.stdev, length.min, length.longest)
        case _:
            raise AssertionError(f"a length of no known kind: {type(length).__name__}")


def resolve_workload(workload: Workload) -> traffic.Workload:
    """What requests say."""
    mixture = workload.mixture
    return traffic.Workload(
        prompts=_asked(workload) if mixture is None else traffic.Mixture(tuple(map(_class, mixture))),
        sampling=dict(workload.sampling),
        stream=workload.stream,
        seed=workload.seed,
        tokenizer_file=workload.tokenizer.file if workload.tokenizer else None,
        sessions=_sessions(workload.sessions, workload.prompts.file) if workload.sessions else None,
    )


def _asked(workload: Workload) -> traffic.Synthetic | traffic.PromptFile:
    prompts = _prompts(workload.prompts)
    if isinstance(prompts, traffic.PromptFile):
        prompts = replace(prompts, reading=replace(prompts.reading, most_turns=most_turns_of(workload)))
    return prompts if workload.api is None else replace(prompts, output_tokens=_NO_ANSWER)


def _class(each: TrafficClass) -> traffic.TrafficClass:
    share = round(each.share, _TENTHS_OF_A_PERCENT)
    return traffic.TrafficClass(each.traffic_class, share, _prompts(each.prompts), resolve_slo(each.slo))


def _prompts(prompts: Prompts) -> traffic.Synthetic | traffic.PromptFile:
    return _synthetic(prompts.synthetic or Synthetic()) if prompts.file is None else _prompt_file(prompts.file)


def resolve_slo(slo: Slo | None) -> SloTerms | None:
    """The terms in milliseconds."""
    return SloTerms(_in_ms(slo.ttft), _in_ms(slo.tpot), _in_ms(slo.e2e)) if slo else None


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, _DECIMALS)


def _synthetic(prompts: Synthetic) -> traffic.Synthetic:
    return traffic.Synthetic(
        input_tokens=_lengths(prompts.input_tokens),
        output_tokens=_lengths(prompts.output_tokens),
        unique=prompts.unique,
        lengths=_length_file(prompts.lengths) if prompts.lengths else None,
        shared_prefix=_shared_prefix(prompts.shared_prefix),
        images=traffic.NoiseImages(**prompts.images.model_dump()) if prompts.images else None,
    )


def _shared_prefix(prefix: SharedPrefix) -> traffic.SharedPrefix | None:
    if not prefix.tokens:
        return None
    return traffic.SharedPrefix(prefix.tokens, prefix.groups, prefix.zipf, prefix.hits)


def _length_file(file: LengthFile) -> measured.LengthFile:
    found = measured.LengthsFound(**file.found.model_dump()) if file.found else measured.NO_LENGTHS
    return measured.LengthFile(file.path, file.input, file.output, found)


def most_turns_of(workload: Workload) -> int | None:
    """Most turns that a row of a file of conversations gives; None where rows are single requests."""
    if workload.sessions is None:
        return None
    return workload.sessions.turns if isinstance(workload.sessions.turns, int) else MOST_TURNS


def _sessions(sessions: Sessions, file: PromptFile | None) -> traffic.Sessions:
    return traffic.Sessions(
        turns=_lengths(DEFAULT_TURNS if sessions.turns is None else sessions.turns) if file is None else _turns(file),
        think_time=_think_time(sessions.think_time),
        input_tokens=None if sessions.input_tokens is None else _lengths(sessions.input_tokens),
    )


def _turns(file: PromptFile) -> Lengths:
    """As the rows have it; one before the file is read."""
    turns = file.found.turns if file.found else None
    return Fixed(1) if turns is None else Normal(turns.mean, turns.stdev, 1, turns.most)


def _think_time(time: ThinkTime) -> traffic.ThinkTime:
    match time:
        case float() | int():
            return traffic.Evenly(time, time)
        case UniformTime(uniform=[low, high]):
            return traffic.Evenly(low, high)
        case ExponentialTime(exponential=mean):
            return traffic.Exponential(mean)
        case _:
            raise AssertionError(f"a think time of no known kind: {type(time).__name__}")


def _prompt_file(file: PromptFile) -> traffic.PromptFile:
    found = file.found
    return traffic.PromptFile(
        reading=reading_of(file),
        order=file.order,
        reuse=file.reuse,
        unique=file.unique,
        output_tokens=_lengths(file.output_tokens) if file.output_tokens is not None else None,
        found=_found(found) if found else NOT_READ,
    )


def _found(found: FoundRows) -> Found:
    turns = TurnsFound(**found.turns.model_dump()) if found.turns else None
    return replace(Found(**found.model_dump()), turns=turns)


def reading_of(file: PromptFile) -> Reading:
    """How the rows of a file of prompts are read."""
    return Reading(
        path=file.path,
        format=file.format,
        column=file.column,
        skips_bad_rows=file.on_bad_row == "skip",
        min_characters=file.min_characters,
        max_characters=file.max_characters,
    )
