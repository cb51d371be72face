"""`result.json`: the whole run for machines, `llmload/result/v1`, described by schemas/result-v1.schema.json.

Shares are 0..1, latencies ms, rates per second; a figure that could not be had is null. No raw requests, no document
text. It stays under 200 kB: histograms grow coarser, then the layout compact and the server's series short, then the
histograms go, then the estimates of each repeat and that series, and last the figures of each part of the traffic.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import assert_never

import orjson

from llmload.baseline import Baseline, Incomparable, NoBaseline, Reference
from llmload.domain import RunResult, TargetFacts, TokenFit
from llmload.plain_text import plain
from llmload.reporters.capacity_document import capacity_document
from llmload.reporters.serving_document import server_series_document
from llmload.reporters.step_document import Json, Room, caveat_document, foreign, number, step_document
from llmload.reporters.written_sections import paragraphs_of, shortened
from llmload.written_analysis import WrittenAnalysis

API_VERSION = "llmload/result/v1"
SIZE_LIMIT = 200_000  # bytes

MOST_ANALYSES = 3
"""The newest ones."""

MOST_FIGURES = 50
"""Of one analysis, that are no figure of the result."""

_AIRY, _COMPACT = orjson.OPT_INDENT_2, 0
_THRIFT = (
    *((Room(merged), _AIRY) for merged in (1, 2, 4, 8)),
    (Room(8, most_points=60, most_letters=4_000), _COMPACT),
    (Room(0, most_points=60, most_letters=4_000), _COMPACT),
    *(
        (Room(0, most_repeats=0, most_points=0, most_letters=1_000, most_parts=parts), _COMPACT)
        for parts in (None, 10, 0)
    ),
)
"""Ever smaller layouts: how much they tell, and the white space."""
_NUMBER_LIST = re.compile(rb"\[\n(?:[\d\s.,e+-]|null)*\]")  # no string can match: a raw newline never stands inside one


def render(run: RunResult) -> bytes:
    """The run as JSON with sorted keys: the first layout that keeps the size limit."""
    text = b""
    for room, layout in _THRIFT:
        text = _encode(_document(run, room), layout)
        if len(text) < SIZE_LIMIT:
            break
    return text


def _encode(document: Json, layout: int) -> bytes:
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE | layout)
    return _NUMBER_LIST.sub(lambda found: b"[" + b" ".join(found[0][1:-1].split()) + b"]", text)


def _document(run: RunResult, room: Room) -> Json:
    header = run.header
    return {
        "apiVersion": API_VERSION,
        "kind": "RunResult",
        "run_id": plain(header.run_id),
        "scenario": plain(header.scenario),
        "created": plain(header.created),
        "finished": None if run.finished is None else plain(run.finished),
        "llmload_version": plain(header.version),
        "source": plain(header.source),
        "document_sha256": plain(header.document_hash),
        "labels": foreign(header.labels),
        "environment": foreign(header.environment),
        "target": None if run.target is None else _target(run.target),
        "verdict": run.status.value,
        "exit_code": run.exit_code,
        "because": plain(run.because),
        "fails_on": sorted(run.fails_on),
        "steps": [step_document(step, room) for step in run.steps],
        "histogram_buckets_merged": room.merged,
        "repeats_left_out": room.most_repeats == 0,
        "reference": None if run.reference is None else _reference(run.reference),
        **capacity_document(run),
        "analyses": [analysis_document(each, room.most_letters) for each in run.analyses[:MOST_ANALYSES]],
        "fingerprint": foreign(run.fingerprint),
        "server": None if run.server is None else server_series_document(run.server, room.most_points),
        "findings": [
            {field.name: plain(getattr(finding, field.name)) for field in fields(finding)} for finding in run.findings
        ],
        "caveats": [caveat_document(caveat) for caveat in run.caveats],
        "notices": [plain(notice) for notice in run.notices],
    }


def _reference(reference: Reference) -> Json:
    """What relative gates were held against, without its figures: those are in the store or in the baseline's file."""
    told: dict[str, Json] = dict.fromkeys(("source", "design", "because", "remedy")) | {"runs": [], "differing": []}
    match reference:
        case Baseline():
            runs = [
                {"run_id": plain(run.run_id), "created": plain(run.created), "commit": plain(run.commit)}
                for run in reference.runs
            ]
            told |= {"source": plain(reference.source), "design": reference.design.value, "runs": runs}
            return {"kind": "baseline", **told}
        case Incomparable(source, differing):
            keys = [
                {"key": plain(each.key), "theirs": plain(each.theirs), "ours": plain(each.ours)} for each in differing
            ]
            return {"kind": "incomparable", **told, "source": plain(source), "differing": keys}
        case NoBaseline(because, remedy):
            return {"kind": "none", **told, "because": plain(because), "remedy": plain(remedy)}
        case _:
            assert_never(reference)


def analysis_document(analysis: WrittenAnalysis, most: int) -> Json:
    """What a language model wrote, with so many letters of its text at most."""
    paragraphs, left = shortened(paragraphs_of(analysis.text), most)
    text = "\n\n".join("\n".join(lines) for lines in paragraphs)
    return {
        "model": plain(analysis.model),
        "server": plain(analysis.server),
        "created": plain(analysis.created),
        "language": analysis.language,
        "text": f"{text} [{left:,} more characters]" if left else text,
        "close": analysis.close.value,
        "unknown_figures": [plain(each) for each in analysis.unknown_figures[:MOST_FIGURES]],
    }


def _target(target: TargetFacts) -> Json:
    return {
        "url": plain(target.url),
        "framework": plain(target.framework),
        "api": None if target.api is None else plain(target.api),
        "model": plain(target.model),
        "version": None if target.version is None else plain(target.version),
        "max_model_len": target.max_model_len,
        "settings": foreign(target.in_force),
        "verified": [plain(name) for name in sorted(target.actual)],
        "declared": [plain(name) for name in target.declared],
        "left_out": [plain(name) for name in target.left_out],
        "token_fit": None if target.fit is None else _fit(target.fit),
    }


def _fit(fit: TokenFit) -> Json:
    return {
        "template": number(fit.template),
        "per_word": number(fit.per_word),
        "residual": number(fit.residual),
        "source": fit.source.value,
    }
