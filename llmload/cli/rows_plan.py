"""What `plan` tells of a file of prompts: its rows, how long they are, and how many of them a run may need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmload.analysis.looks import first_sizes, steps_of
from llmload.analysis.row_use import rows_needed, stretch_of
from llmload.planned import Look
from llmload.scenario.asked import Scenario
from llmload.scenario.traffic import PromptFile, Synthetic
from llmload.workload.choosing import choose
from llmload.workload.file_plan import FilePlan

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
    first window, up to 1000 of them.
    """

    path: str
    sha256: str
    order: str
    reuse: bool
    rows: int
    skipped: int
    filtered: int
    needed: int | None
    sampled: Lengths


def rows_plan(scenario: Scenario) -> RowsPlan | None:
    """The file of prompts of a scenario; None where it has none."""
    prompts = scenario.workload.prompts
    if not isinstance(prompts, PromptFile):
        return None
    found = prompts.found
    return RowsPlan(
        path=prompts.reading.path,
        sha256=found.sha256,
        order=prompts.order,
        reuse=prompts.reuse,
        rows=found.rows,
        skipped=found.skipped,
        filtered=found.filtered,
        needed=rows_needed(scenario),
        sampled=_sampled(scenario, prompts),
    )


def _sampled(scenario: Scenario, prompts: PromptFile) -> Lengths:
    step = steps_of(scenario)[0]
    look = Look(step, 0, first_sizes(scenario, step)[0])
    stretch = stretch_of(scenario, look)
    count = min(_SAMPLED, stretch.count if stretch else _SAMPLED)
    chosen = choose(scenario.workload, prompts, look, 0, count)
    plan = FilePlan(scenario.workload.seed, 0, 0, chosen, prompts.output_tokens, unique=False)
    asked = [plan.request(index) for index in range(count)]
    characters = [plan.row(index).characters for index in range(count)]
    return Lengths(
        prompts=count,
        least_characters=min(characters),
        mean_characters=sum(characters) / count,
        most_characters=max(characters),
        mean_output_tokens=sum(request.output_tokens for request in asked) / count,
    )


def lengths_as_text(scenario: Scenario) -> Iterator[str]:
    """A line on the measured lengths of synthetic prompts, where the scenario names a file of them."""
    prompts = scenario.workload.prompts
    if not isinstance(prompts, Synthetic) or prompts.lengths is None:
        return
    found = prompts.lengths.found
    yield f"    lengths: {found.rows:,} rows of {prompts.lengths.path}, drawn in pairs"
    yield (
        f"    on average {found.input_tokens:,.0f} tokens in and {found.output_tokens:,.0f} out, in the longest"
        f" {found.longest_input_tokens:,} and {found.longest_output_tokens:,}"
    )


def as_text(found: RowsPlan) -> Iterator[str]:
    """Its lines."""
    counts = {"bad": found.skipped, "by length": found.filtered}
    left_out = ", ".join(f"{count:,} {why}" for why, count in counts.items() if count)
    rest = f" ({left_out} left out)" if left_out else ""
    use = "drawn anew for each request" if found.order == "random" else f"each once, {found.order}"
    if found.reuse and found.order != "random":
        use += ", then from the beginning"
    yield f"    prompts: {found.rows:,} rows of {found.path}{rest}, {use}"
    if found.needed is not None:
        yield f"    the run may ask for {found.needed:,} of them, warm-up and fillers included"
    lengths = found.sampled
    yield (
        f"    the first {lengths.prompts:,} have {lengths.least_characters:,} to {lengths.most_characters:,} characters"
        f" (mean {lengths.mean_characters:,.0f}) and ask for {lengths.mean_output_tokens:,.0f} tokens each"
    )
