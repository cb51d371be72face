"""Text from servers, files and people, made harmless for each place it is told in.

Every reporter passes every foreign text through here; our own words need it too, since they quote foreign ones.
"""

from __future__ import annotations

import re

TEXT_LIMIT = 400
"""Characters of one foreign text that a report keeps: enough for a sentence, too few to bury the verdict."""

_TERMINAL_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-~]"
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls that are not white space
    "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # reorder or hide what is read
    "\U000e0000-\U000e007f]"
)
_UNENCODABLE = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # an underscore inside a word marks nothing
_HTML = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")  # others are plain text, and "<=" stays readable
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
_BLOCK_START = re.compile(r"^(\d{0,9})([.)](?= |$)|[-+](?=[ +-]|$)|[>#]|=+$)")  # were the text first in its line
_REFERENCE = re.compile(r"@|#(?=\d)")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|www|mailto|xmpp)([:.])")
_HARMLESS_IN_CODE = re.compile(r"[A-Za-z0-9 ._:/()=,+%<>-]*")
_TAG = re.compile(r"<[A-Za-z/!?]")
_FORMULA_STARTS = tuple("=+-@＝＋－＠")


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line without terminal sequences, controls or hidden characters, and how much was cut off beyond `limit`."""
    kept = text[: 8 * limit]  # what is cut anyway is not searched, however long it is
    kept = _UNSEEN.sub("", _TERMINAL_SEQUENCE.sub("", kept))
    kept = " ".join(_UNENCODABLE.sub("\ufffd", kept).split())
    over = max(0, len(kept) - limit) + max(0, len(text) - 8 * limit)
    return kept if not over else f"{kept[:limit].rstrip()} … [{over:,} more characters]"


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


def spreadsheet(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text that no spreadsheet takes for a formula."""
    short = plain(text, limit)
    return f"'{short}" if short.startswith(_FORMULA_STARTS) else short
