"""A recommendation alone as Markdown, such as for an issue or a mail: `llmload recommend --output FILE.md`."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.domain import RunResult
from llmload.reporters.aligned_table import Column, Side, table
from llmload.reporters.escaping import markdown_prose
from llmload.reporters.reasons import in_language
from llmload.reporters.recommendation_parts import Part, origin, parts_of
from llmload.reporters.sections import Table
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence


def render(run: RunResult, texts: Texts) -> bytes:
    """The headline, then every part under a heading of its own; nothing where the run recommends nothing."""
    found = run.recommendation
    if found is None:
        return b""
    headline = markdown_prose(sentence(in_language(found.headline, texts)))
    blocks = [f"# {texts['heading.recommendation']}", f"**{headline}**", markdown_prose(origin(run, texts))]
    for part in parts_of(found, texts):
        blocks += [f"## {part.heading}", "\n".join(_body(part))]
    return ("\n\n".join(blocks) + "\n").encode()


def _body(part: Part) -> Iterator[str]:
    match part.body:
        case Table(columns, rows, words):
            sides = (Side.LEFT if not place or place in words else Side.RIGHT for place in range(len(columns)))
            yield table([Column(*each) for each in zip(columns, sides, strict=True)], rows).rstrip("\n")
        case list() as pairs:
            for name, value in pairs:
                yield f"- {markdown_prose(name)}: {markdown_prose(value)}"
        case lines:
            mark = "- " if len(lines) > 1 else ""
            for each in lines:
                yield f"{mark}{markdown_prose(each)}"
