"""docs/gates.md: its numbers are those of llmload's functions, and its words keep to what they show."""

from __future__ import annotations

import re

import pytest

from llmload.verdict import Status
from tests.bench import gates
from tests.docs import gates_page


def test_every_number_of_the_page_is_computed() -> None:
    assert gates_page.PAGE.read_text(encoding="utf-8") == gates_page.written(), "run `make docs`"


@pytest.mark.parametrize(
    ("pairs", "least_caught"),
    [pytest.param(12, 0.9, id="12 pairs"), pytest.param(5, 0.4, id="5 pairs")],
)
def test_the_recorded_runs_catch_what_became_slower_and_never_fail_what_did_not(
    pairs: int, least_caught: float
) -> None:
    """The claim of `make bench`, on the runs that it once recorded."""
    recorded = gates.from_json(gates_page.RECORD.read_text(encoding="utf-8"))
    healthy = gates.experiments(recorded.healthy, recorded.healthy, pairs)
    slower = gates.experiments(recorded.healthy, recorded.slower, pairs)
    assert gates.count(healthy, Status.FAIL) == 0
    assert gates.count(slower, Status.PASS) == 0
    assert min(gates.share({figure: slower[figure]}, Status.FAIL) for figure in slower) >= 100 * least_caught


def test_every_command_of_the_page_is_one_that_llmload_has() -> None:
    from llmload.cli import verbs

    text = gates_page.PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    written = set(re.findall(r"\bllmload\s([a-z]+)\b", "\n".join([*blocks, *spans])))
    assert {"ab", "baseline", "calibrate", "compare", "gate", "runs"} <= written
    assert written <= {verb.__name__ for verb in verbs.VERBS} | {"baseline", "store"}
