"""Text from servers, files and people, made harmless for each place it is told in.

Every reporter passes every foreign text through here; our own words need it too, since they quote foreign ones.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence

from llmload.plain_text import TEXT_LIMIT, plain

_MARKUP = re.compile(r"[\\`*\[\]|$]|(?<! )~|~(?! )|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What may mark something: neither an underscore inside a word nor a tilde between spaces does."""
_HTML = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")  # others are plain text, and "<=" stays readable
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
_BLOCK_START = re.compile(r"^(\d{0,9})([.)](?= |$)|[-+](?=[ +-]|$)|[>#]|=+$)")  # were the text first in its line
_REFERENCE = re.compile(r"@|#(?=\d)|\b(?i:gh)-(?=\d)")
_HTML_REFERENCE = re.compile(r"@|(?<!&)#(?=\d)|\b(?i:gh)-(?=\d)")  # "&#36;" is none
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|www|mailto|xmpp)([:.])")
_HARMLESS_IN_CODE = re.compile(r"[A-Za-z0-9 ._:/()=,+%<>-]*")
_TAG = re.compile(r"<[A-Za-z/!?]")
_FORMULA_STARTS = tuple("=+-@＝＋－＠")


_PAGE = 116  # columns of a quotation


class Markdown(str):
    """Text that is Markdown already; the template escapes every other string."""

    __slots__ = ()


def markdown_prose(text: str, limit: int = TEXT_LIMIT) -> Markdown:
    """Text that reads the same in GitHub's Markdown and makes no markup, link, mention, formula or table cell."""
    unreferring = _REFERENCE.sub("\\g<0>\u200b", plain(text, limit))  # GitHub looks for these after all unescaping
    inert = _HTML.sub(lambda found: _ENTITIES[found[0]], _MARKUP.sub(r"\\\g<0>", unreferring))
    inert = _BLOCK_START.sub(r"\1\\\2", inert)
    return Markdown(_AUTOLINK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", inert))


def markdown_code(text: str, limit: int = TEXT_LIMIT) -> Markdown:
    """A code span where that is surely harmless in a table, else escaped prose."""
    short = plain(text, limit)
    if short and _HARMLESS_IN_CODE.fullmatch(short) and not _TAG.search(short):
        return Markdown(f"`{short}`")
    return markdown_prose(text, limit)


def markdown_html(text: str, limit: int = TEXT_LIMIT) -> Markdown:
    """The same within HTML in Markdown, such as the summary of a fold, where a backslash would be seen."""
    inert = html.escape(plain(text, limit), quote=False).replace("$", "&#36;")
    unlinked = _AUTOLINK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", inert)
    return Markdown(_HTML_REFERENCE.sub("\\g<0>\u200b", unlinked))


def markdown_quote(paragraphs: Sequence[Sequence[str]]) -> Markdown:
    """Paragraphs of foreign lines as a quotation in which nothing is markup; in the source no wider than a page."""
    quoted = ("<br>\n".join(_quoted_line(line) for line in lines) for lines in paragraphs)
    return Markdown("\n>\n".join(quoted))


def _quoted_line(line: str) -> str:
    """Each piece begins a line of the source, so it is escaped as what begins one."""
    pieces = textwrap.wrap(line, _PAGE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {markdown_prose(piece, len(piece))}" for piece in pieces)


def spreadsheet(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text that no spreadsheet takes for a formula."""
    short = plain(text, limit)
    return f"'{short}" if short.startswith(_FORMULA_STARTS) else short
