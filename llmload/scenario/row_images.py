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
from llmload.scenario.file_kinds import open_ordinary

MOST_IMAGE_BYTES = 20 * 2**20
"""Of one file. Larger ones are more than servers take."""

MOST_IMAGES = 1_000
"""Of one row."""

_MOST_ROW_BYTES = 128 * 2**20  # of all images of a row, as they are sent: a few bytes may name 20 MB again and again

_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
_DATA = re.compile(r"data:image/[a-z+.-]+;base64,", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def images_of(messages: Sequence[Mapping[str, object]]) -> list[str]:
    """The data URLs of all images in messages as they are sent."""
    return [str(member(part, "image_url", "url")) for part in _parts(messages) if member(part, "type") == "image_url"]


def has_images(raw: bytes) -> bool:
    """Whether a row may hold images; one without them never does."""
    return b"image_url" in raw


def written_out(raw: bytes, folder: Path) -> bytes:
    """A checked row of messages with its images in it: no file is needed any more. BadRowError: one is gone."""
    row = orjson.loads(raw)
    messages, images = items(row["messages"] if isinstance(row, dict) else row), RowImages(folder)
    for part in _parts([message for message in messages if isinstance(message, dict)]):
        if isinstance(part, dict) and part.get("type") == "image_url":
            part.update(images.sent(part, "an image"))
    return orjson.dumps(row)


def _parts(messages: Sequence[Mapping[str, object]]) -> list[object]:
    return [part for message in messages for part in items(message.get("content"))]


class RowImages:
    """The images of one row, which lie in `folder`, and how many more it may have."""

    __slots__ = ("_folder", "_images_left", "_room")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._images_left, self._room = MOST_IMAGES, _MOST_ROW_BYTES

    def sent(self, part: dict[str, object], where: str) -> dict[str, object]:
        """A part of type image_url as it is sent; BadRowError where it is no image that can be sent."""
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if not isinstance(url, str) or not url:
            raise BadRowError(f'{where} has an image without a url; write {{"image_url": {{"url": "picture.png"}}}}')
        sent: dict[str, object] = {"url": self._counted(_data_url(url, where, self._folder), where)}
        if isinstance(image, dict) and isinstance(detail := image.get("detail"), str):
            sent["detail"] = detail
        return {"type": "image_url", "image_url": sent}

    def _counted(self, url: str, where: str) -> str:
        self._images_left -= 1
        self._room -= len(url)
        if self._images_left < 0:
            raise BadRowError(f"{where}: the row has more than {MOST_IMAGES:,} images")
        if self._room < 0:
            raise BadRowError(f"{where}: the images of the row are more than {_MOST_ROW_BYTES // 2**20} MB in base64")
        return url


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
    if len(url) - begin > MOST_IMAGE_BYTES * 4 // 3:
        raise BadRowError(f"{where} has an image of more than {MOST_IMAGE_BYTES // 2**20} MB")
    try:
        kind = _kind_of(b64decode(url[begin:], validate=True))
    except ValueError:
        kind = None
    if kind is None:
        raise BadRowError(f"{where} has a data URL that is no PNG, JPEG, GIF or WebP in base64")


def _read(name: str, where: str, folder: Path) -> bytes:
    """The bytes of a file. Links are followed first, so that none leads out of the folder."""
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise BadRowError(f"{where}: {shown(name)} is outside the folder of this file")
        if not path.is_file():
            raise BadRowError(f"{where}: there is no file {shown(name)} below the folder of this one")
        with open_ordinary(path) as file:
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
