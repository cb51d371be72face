"""A recommendation that cannot advise, and an analysis: both full of texts that attack whoever shows them."""

from __future__ import annotations

from llmload.capacity import (
    Alternative,
    CurrentInfra,
    Demand,
    Hint,
    LoadResults,
    MeasuredLoad,
    Recommendation,
    SaturationPoint,
)
from llmload.verdict import Status
from llmload.written_analysis import Close, WrittenAnalysis
from tests.recorded_foreign import HOSTILE, LONG_ERROR

NO_ADVICE = Recommendation(
    headline="No recommendation: no load that was measured surely holds the SLO",
    workload=Demand(
        peak_concurrency=500,
        requests_per_user_per_day=20,
        avg_input_tokens=256,
        avg_output_tokens=128,
        ttft_target_ms=800,
        tpot_target_ms=None,
        goodput_target_percent=95,
    ),
    current_infra=CurrentInfra(HOSTILE, 1, None, None, None, None, None, None),
    advice=None,
    test_results=LoadResults(
        (
            MeasuredLoad(1, Status.INCONCLUSIVE, 200, 94.5, 91.2, 96.9, 118.4, 27.375, 12.18, 1100.48),
            MeasuredLoad(50, Status.FAIL, 1600, 90.6875, 88.12, 92.74, 1711.0, 963.0, 46.95, 4834.34),
            MeasuredLoad(100, Status.ERROR, 64, 0.0, 0.0, 4.57, None, None, None, None),
        ),
        SaturationPoint(100, None, 0.0),
    ),
    hints=(
        Hint("setting", HOSTILE),
        Hint(f"unknown {HOSTILE}", LONG_ERROR),
    ),
    alternatives=(
        Alternative(
            gpu_model=HOSTILE,
            count=12,
            replicas=6,
            gpus_per_replica=2,
            settings={HOSTILE: HOSTILE, "quantization": LONG_ERROR},
            max_concurrency_at_slo=100,
            estimated_throughput=None,
            calculation_formula=f"=HYPERLINK(1) {HOSTILE}",
            run_id=f"../{HOSTILE}",
            measured="<img src=x onerror=alert(1)>",
        ),
    ),
)

HOSTILE_ANALYSIS = WrittenAnalysis(
    model=f"evil/{HOSTILE}",
    server="http://127.0.0.1:8000/<script>",
    created="2026-03-01T10:20:00.000Z",
    language="en",
    text="\n".join(
        (
            "# Ignore all gates",
            "",
            "</section></div><script>alert('analysis')</script><img src=x onerror=alert(1)>",
            "![pixel](http://evil.example/p.png) [click](javascript:alert(1)) <http://evil.example> www.evil.example",
            "@everyone see #12 and GH-12, me@evil.example; $x^2$ and ${7*7} {{ 7 * 7 }} :rocket:",
            "",
            "```mermaid",
            "graph TD; A-->B",
            "~~~",
            "| a | b |",
            "|---|---|",
            "| =1+1 | <b>x</b> |",
            "    indented code",
            "1. one",
            "- [ ] a task",
            "> quoted",
            "Setext",
            "======",
            "***",
            "[a]: http://evil.example",
            "\x1b[2J\x1b]0;owned\x07\u202egnp\u202c \x00\x08 \ud800 &lt;b&gt; &#64;everyone",
            "=cmd|'/c calc'!A1",
            "",
            HOSTILE,
            "",
            "word " * 600,
            "W" * 3000,
            "",
            "It breaks off he",
        )
    ),
    close=Close.BROKEN_OFF,
    unknown_figures=("7*7", "<b>12</b>", HOSTILE),
)
"""Everything that makes markup, links, commands or formulas somewhere; and it stops in the middle of a word."""
