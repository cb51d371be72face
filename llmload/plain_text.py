"""Text from servers, files and people as one harmless line: no terminal sequences, no hidden characters."""

from __future__ import annotations

import re
import unicodedata

TEXT_LIMIT = 600
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
_LINE_ENDS = {0x0B: " ", 0x0C: " ", 0x0D: None, 0x85: " ", 0x2028: " ", 0x2029: " "}
_UNENCODABLE = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line without terminal sequences, controls or hidden characters, and how much was cut off beyond `limit`."""
    if len(text) <= limit and text.isprintable():  # as most are: nothing is hidden, no white space but spaces
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
    kept = text[: 8 * limit]  # what is cut anyway is not searched, however long it is
    kept = _UNSEEN.sub("", _TERMINAL_SEQUENCE.sub("", kept))
    kept = " ".join(_UNENCODABLE.sub("\ufffd", kept).split())
    over = max(0, len(kept) - limit) + max(0, len(text) - 8 * limit)
    return kept if not over else f"{kept[:limit].rstrip()} … [{over:,} more characters]"


def display_width(text: str) -> int:
    """Columns of a fixed-width font: Korean, Chinese and Japanese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def plain_lines(text: str) -> str:
    """The text without controls, hidden and unencodable characters, its lines kept; a carriage return is none.

    Each character is judged by itself: pieces of a text, cleaned as they come, are the whole text cleaned.
    """
    seen = _UNSEEN.sub("", text.translate(_LINE_ENDS))
    return _UNENCODABLE.sub("\ufffd", seen)
