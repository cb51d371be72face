"""What `plan` tells of a file of prompts: its rows, how long they are, and how many of them a run may need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from llmload.analysis.looks import first_sizes, steps_of
from llmload.analysis.row_use import files_of, rows_needed, stretch_of
from llmload.planned import Look
from llmload.scenario.asked import Scenario
from llmload.scenario.conversation_rows import asked_reader
from llmload.scenario.corpus import Stretch, TurnsFound
from llmload.scenario.lengths import LengthFile
from llmload.scenario.traffic import PromptFile, Synthetic
from llmload.workload.choosing import choose
from llmload.workload.file_plan import FilePlan
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.mixed_plan import class_seed

_SAMPLED = 1000


@dataclass(frozen=True, slots=True)
class Lengths:
    """Least, mean and greatest length of the prompts and answers that the first window asks for."""

    prompts: int
    least_characters: int
    mean_characters: float
    most_characters: int
    mean_output_tokens: float


@dataclass(frozen=True, slots=True)
class RowsPlan:
    """A file of prompts. `needed` is None where nobody knows how many rows a run needs; `sampled` are those of the
    first window, up to 1000 of them. `traffic_class` is that of a mixture which it belongs to; `turns` are those of its
    conversations, None where rows are single requests.
    """

    traffic_class: str | None
    path: str
    sha256: str
    order: str
    reuse: bool
    rows: int
    skipped: int
    filtered: int
    needed: int | None
    sampled: Lengths
    turns: TurnsFound | None


def rows_plans(scenario: Scenario) -> tuple[RowsPlan, ...]:
    """Every file of prompts of a scenario, in a mixture one for each class that has one."""
    return tuple(
        RowsPlan(
            traffic_class=traffic_class,
            path=prompts.reading.path,
            sha256=prompts.found.sha256,
            order=prompts.order,
            reuse=prompts.reuse,
            rows=prompts.found.rows,
            skipped=prompts.found.skipped,
            filtered=prompts.found.filtered,
            needed=rows_needed(scenario, traffic_class),
            sampled=_sampled(scenario, prompts, traffic_class),
            turns=prompts.found.turns,
        )
        for traffic_class, prompts in files_of(scenario)
    )


def _sampled(scenario: Scenario, prompts: PromptFile, traffic_class: str | None) -> Lengths:
    step = steps_of(scenario)[0]
    look = Look(step, 0, first_sizes(scenario, step)[0])
    given, workload = stretch_of(scenario, look), scenario.workload
    if traffic_class is not None:
        workload = replace(workload, seed=class_seed(workload.seed, traffic_class))
    stretch = given[traffic_class] if isinstance(given, Mapping) and traffic_class is not None else given
    count = min(_SAMPLED, stretch.count if isinstance(stretch, Stretch) else _SAMPLED)
    chosen = choose(workload, prompts, look, 0, count)
    plan = FilePlan(workload.seed, 0, 0, chosen, prompts.output_tokens, unique=False)
    if workload.sessions is None:
        answers = [plan.request(index).output_tokens for index in range(count)]
    else:
        held = FileSessionPlan(plan, workload.sessions, slots=0)
        answers = [turn.output_tokens for index in range(count) for turn in held.session(index).turns]
    read = asked_reader(prompts.reading, chosen.columns)
    characters = [read(chosen.raw(index)).characters for index in range(count)]
    return Lengths(
        prompts=count,
        least_characters=min(characters),
        mean_characters=sum(characters) / count,
        most_characters=max(characters),
        mean_output_tokens=sum(answers) / len(answers),
    )


def lengths_as_text(scenario: Scenario) -> Iterator[str]:
    """Lines on the measured lengths of synthetic prompts, where the scenario names files of them."""
    prompts = scenario.workload.prompts
    kinds = [("", prompts), *((f" of {each.name}", each.prompts) for each in scenario.workload.classes)]
    for whose, each in kinds:
        if isinstance(each, Synthetic) and each.lengths is not None:
            yield from _measured_lengths(whose, each.lengths)


def _measured_lengths(whose: str, lengths: LengthFile) -> Iterator[str]:
    found = lengths.found
    yield f"    lengths{whose}: {found.rows:,} rows of {lengths.path}, drawn in pairs"
    yield (
        f"    on average {found.input_tokens:,.0f} tokens in and {found.output_tokens:,.0f} out, in the longest"
        f" {found.longest_input_tokens:,} and {found.longest_output_tokens:,}"
    )


def as_text(found: RowsPlan) -> Iterator[str]:
    """Its lines."""
    counts = {"bad": found.skipped, "by length": found.filtered}
    left_out = ", ".join(f"{count:,} {why}" for why, count in counts.items() if count)
    rest = f" ({left_out} left out)" if left_out else ""
    what = "request" if found.turns is None else "conversation"
    use = f"drawn anew for each {what}" if found.order == "random" else f"each once, {found.order}"
    if found.reuse and found.order != "random":
        use += ", then from the beginning"
    whose = f" of {found.traffic_class}" if found.traffic_class else ""
    yield f"    prompts{whose}: {found.rows:,} rows of {found.path}{rest}, {use}"
    if found.needed is not None:
        yield f"    the run may ask for {found.needed:,} of them, warm-up and fillers included"
    if found.turns is not None:
        yield f"    each row is a conversation of {found.turns.mean:.3g} turns on average, {found.turns.most:,} at most"
    lengths, each = found.sampled, "each" if found.turns is None else "an answer"
    yield (
        f"    the first {lengths.prompts:,} have {lengths.least_characters:,} to {lengths.most_characters:,} characters"
        f" (mean {lengths.mean_characters:,.0f}) and ask for {lengths.mean_output_tokens:,.0f} tokens {each}"
    )
