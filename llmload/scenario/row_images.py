"""Images in the messages of a row: written out as data URLs, or files below the folder of the data file.

A URL of the network is refused: the server would fetch it while it is measured, from somebody who may answer otherwise
tomorrow.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from llmload.frameworks.replies import items, member
from llmload.scenario.bad_row import BadRowError, shown

MOST_IMAGE_BYTES = 20 * 2**20
"""Of one file. Larger ones are more than servers take."""

_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
_DATA = re.compile(r"data:image/[a-z+.-]+;base64,", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HEAD = 32  # characters of base64 that show what an image is


def images_of(messages: Sequence[Mapping[str, object]]) -> list[str]:
    """The data URLs of all images in messages as they are sent."""
    return [str(member(part, "image_url", "url")) for part in _parts(messages) if member(part, "type") == "image_url"]


def has_images(raw: bytes) -> bool:
    """Whether a row may hold images; one without them never does."""
    return b"image_url" in raw


def written_out(raw: bytes, folder: Path) -> bytes:
    """A checked row of messages with its images in it: no file is needed any more. BadRowError: one is gone."""
    row = orjson.loads(raw)
    messages = items(row["messages"] if isinstance(row, dict) else row)
    for part in _parts([message for message in messages if isinstance(message, dict)]):
        if isinstance(part, dict) and part.get("type") == "image_url":
            part.update(image_part(part, "an image", folder))
    return orjson.dumps(row)


def _parts(messages: Sequence[Mapping[str, object]]) -> list[object]:
    return [part for message in messages for part in items(message.get("content"))]


def image_part(part: dict[str, object], where: str, folder: Path) -> dict[str, object]:
    """A part of type image_url as it is sent; BadRowError where it is no image that can be sent."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url:
        raise BadRowError(f'{where} has an image without a url; write {{"image_url": {{"url": "picture.png"}}}}')
    sent: dict[str, object] = {"url": _data_url(url, where, folder)}
    if isinstance(image, dict) and isinstance(detail := image.get("detail"), str):
        sent["detail"] = detail
    return {"type": "image_url", "image_url": sent}


def _data_url(url: str, where: str, folder: Path) -> str:
    if found := _DATA.match(url):
        _check_written_out(url, found.end(), where)
        return url
    if _SCHEME.match(url):
        raise BadRowError(
            f"{where} has an image at {shown(url)}; write the name of a file below the folder of this one, or a data"
            " URL in base64"
        )
    data = _read(url, where, folder)
    kind = _kind_of(data)
    if kind is None:
        raise BadRowError(f"{where}: {shown(url)} is no PNG, JPEG, GIF or WebP")
    return f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"


def _check_written_out(url: str, begin: int, where: str) -> None:
    head = url[begin : begin + _HEAD]
    try:
        kind = _kind_of(b64decode(head, validate=True))
    except ValueError:
        kind = None
    if kind is None:
        raise BadRowError(f"{where} has a data URL that is no PNG, JPEG, GIF or WebP in base64")
    if len(url) - begin > MOST_IMAGE_BYTES * 4 // 3:
        raise BadRowError(f"{where} has an image of more than {MOST_IMAGE_BYTES // 2**20} MB")


def _read(name: str, where: str, folder: Path) -> bytes:
    """The bytes of a file. Links are followed first, so that none leads out of the folder."""
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise BadRowError(f"{where}: {shown(name)} is outside the folder of this file")
        if not path.is_file():
            raise BadRowError(f"{where}: there is no file {shown(name)} below the folder of this one")
        with path.open("rb") as file:
            data = file.read(MOST_IMAGE_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # a link to itself is a RuntimeError before Python 3.13
        if isinstance(error, BadRowError):
            raise
        raise BadRowError(f"{where}: {shown(name)} cannot be read ({type(error).__name__})") from None
    if len(data) > MOST_IMAGE_BYTES:
        raise BadRowError(f"{where}: {shown(name)} has more than {MOST_IMAGE_BYTES // 2**20} MB")
    return data


def _kind_of(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((kind for begin, kind in _KINDS.items() if head.startswith(begin)), None)
