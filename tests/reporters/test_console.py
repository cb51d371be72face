"""The terminal: the verdict stands last, every gate with its evidence, and foreign text does nothing."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from llmload.domain import RunResult
from llmload.promises import Slo
from llmload.reporters import console
from llmload.verdict import Status
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TALKS, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden

WIDTHS = [pytest.param(80, id="80 columns"), pytest.param(120, id="120 columns")]


def shown(run: RunResult, width: int = 120, *, colours: str | None = None) -> str:
    file = io.StringIO()
    terminal = Console(file=file, width=width, force_terminal=bool(colours), color_system=colours, legacy_windows=False)
    console.render(run, terminal)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("run", "name"),
    [
        pytest.param(CLEAN, "clean", id="clean"),
        pytest.param(TROUBLE, "trouble", id="full of trouble"),
        pytest.param(FROM_LOADTEST, "imported", id="imported"),
        pytest.param(REGRESSED, "regressed", id="measured in turns"),
        pytest.param(ADVISED, "advised", id="against three runs"),
        pytest.param(UNLIKE, "unlike", id="against none like it"),
        pytest.param(TALKS, "talks", id="of classes and conversations"),
    ],
)
def test_a_recorded_run_is_shown_as_reviewed(run: RunResult, name: str, width: int, update_goldens: bool) -> None:
    assert_golden(f"{name}-console-{width}.txt", shown(run, width).encode(), update=update_goldens)


def test_the_verdict_stands_last_with_the_gravest_gate_above_it() -> None:
    text = shown(TROUBLE)
    _, _, last = text.rpartition("─\n")
    assert last.startswith("FAIL qwen3-14b-chat, exit code 3. 10 gate checks: 3 failed, 2 could not be measured,")
    details = re.findall(r"^(FAIL|ERROR|INCONCLUSIVE)", text, re.MULTILINE)
    assert details == ["INCONCLUSIVE", "FAIL", "ERROR", "ERROR", "FAIL", "FAIL", "FAIL"], (
        "the last one is the verdict line"
    )


def test_every_gate_is_shown_with_observed_value_interval_n_and_effective_n() -> None:
    text = shown(TROUBLE)
    assert re.search(r"fail +goodput >= 95% +50 +90\.68% +88\.12% to 92\.74% +1,600 +663", text)
    assert "4.31 points below the target (>= 95%)" in text
    assert "(deff 2.41), 4 looks" in text
    assert "To do: Lower the load, or give the server more capacity." in text


def test_by_what_each_class_is_good_stands_beside_its_name() -> None:
    text = shown(replace(TALKS, slo=Slo(e2e_ms=10_000), slo_by_class={"chat": Slo(ttft_ms=400)}))
    assert re.search(r"chat +TTFT 400ms +140 ", text)
    assert re.search(r"rag +E2E 10s +60 ", text)


def test_foreign_text_neither_colours_nor_moves_nor_clears() -> None:
    text = shown(TROUBLE, colours="truecolor")
    assert set(re.findall(r"\x1b\[[\d;]*(.)", text)) == {"m"}
    assert "\x1b]" not in text
    assert "[red]" in text, "what looks like markup is shown as it is"


def test_a_run_that_measured_nothing_says_why() -> None:
    run = replace(TROUBLE, target=None, steps=(), status=Status.ERROR, exit_code=5, because="no server at http://x")
    last = shown(run).splitlines()[-1]
    assert last == "ERROR qwen3-14b-chat, exit code 5. nothing was measured. no server at http://x."


def test_who_sent_the_load_is_told_where_it_took_several_workers() -> None:
    told = [line for line in shown(TROUBLE).splitlines() if line.startswith("Sent by")]
    assert [line.partition(":")[0] for line in told] == ["Sent by 2 workers"]
    assert "Sent by" not in shown(CLEAN)


def test_the_server_and_each_gpu_have_a_line_where_they_were_watched() -> None:
    text = shown(CLEAN)
    assert "server up to 32 waiting, KV cache up to 94.7%, preemptions 0. Client and server agree on 36 of 36" in text
    assert "GPU 0 NVIDIA H100 80GB HBM3: 75.48% busy, 71.2 of 79.6 GiB, 69 °C, 348 of 700 W, 144 kJ." in text
    assert "GPU 1 NVIDIA T400 4GB: 0.98% busy, 0.20 of 4 GiB." in text
    assert not re.search(r"^(server|GPU \d) ", shown(FROM_LOADTEST), re.MULTILINE)


def test_of_many_gpus_the_first_are_shown_and_the_others_counted() -> None:
    text = shown(replace(CLEAN, gpus=CLEAN.gpus[:1] * 11))
    assert text.count("GPU 0 ") == 8
    assert text.count("NVIDIA H100 80GB HBM3: ") == 1  # they are of one model, which is said once
    assert "and 3 more GPUs, in the reports" in text


def test_a_server_in_which_nothing_waited_says_so() -> None:
    first = CLEAN.steps[0]
    assert "server none waiting, KV cache up to 0.6%" in shown(replace(CLEAN, steps=(first,)))


def test_ttft_since_due_has_a_column_only_where_requests_are_due_by_themselves() -> None:
    assert "ttft since due" in shown(TROUBLE)
    assert "since due" not in shown(CLEAN)


def test_a_terminal_that_knows_only_ascii_is_not_a_crash() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console.render(TROUBLE, Console(file=file, width=100))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert "\\uc11c\\ubc84" in text
    file.close()
