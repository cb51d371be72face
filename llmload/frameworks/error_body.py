"""What a server says when it refuses: one sentence out of the four shapes in which servers wrap it."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

_LONGEST = 64 * 1024
LONGEST_TOLD = 500
"""How much of a server's words is kept. Cut only after secrets are taken out: half a secret is not recognised."""


def error_message(body: bytes) -> str:
    """The server's own words in an error body, in one line; never raises. The caller scrubs, then cuts.

    Shapes: `{"error": {"message": ..}}` (vLLM, llama.cpp), `{"error": ".."}` (Triton, Ollama),
    `{"object": "error", "message": ..}` (SGLang), `{"detail": ..}` (FastAPI). Anything else is shown as it came.
    """
    body = body.strip().removeprefix(b"data:").strip()
    try:
        document = orjson.loads(body)
    except ValueError:
        return _one_line(body[:_LONGEST].decode(errors="replace"))
    return found_error(document) or _one_line(body[:_LONGEST].decode(errors="replace"))


def found_error(document: object) -> str | None:
    """The message of an error inside a document that may be none; None when it is none."""
    if not isinstance(document, Mapping):
        return None
    if document.get("error"):
        return _one_line(_words_of(document["error"]))
    if document.get("object") == "error":
        return _one_line(_words_of(document))
    if document.get("detail"):
        return _one_line(_words_of(document["detail"]))
    return None


def _words_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("message"), str) and value["message"]:
        return str(value["message"])
    if isinstance(value, list) and value and isinstance(value[0], Mapping):  # a list of validation problems
        return "; ".join(str(item.get("msg", item)) for item in value if isinstance(item, Mapping))
    return orjson.dumps(value).decode()


def _one_line(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST])
    return " ".join(printable.split())
