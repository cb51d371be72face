"""reports/gallery: the recorded runs in every format, as people find them in this repository.

`make golden` writes them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, TROUBLE
from tests.reporters.workbooks import parts

GALLERY = Path(__file__).parents[2] / "reports" / "gallery"
SHOWN = {"clean": CLEAN, "trouble": TROUBLE}

_LIBRARY = re.compile(rb'(<script[^>]* id="library">)[^<]+')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def write() -> None:
    """The gallery as it should be: what is no longer made goes."""
    for name in SHOWN:
        folder, files = GALLERY / name, rendered(name)
        folder.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in folder.iterdir()} - set(files):
            (folder / stale).unlink()
        for file, content in files.items():
            if not (folder / file).exists() or not _is_alike(file, (folder / file).read_bytes(), content):
                (folder / file).write_bytes(content)


def _is_alike(file: str, kept: bytes, content: bytes) -> bool:
    """Whether the machine alone makes the difference; on this one, a picture is alike only where all of it is."""
    return kept == content if file.endswith(".svg") else comparable(file, kept) == comparable(file, content)


def rendered(name: str) -> Mapping[str, bytes]:
    """Every file of one recorded run, by its name."""
    texts = texts_in(Language.EN)
    return {file: content for render in REPORTERS.values() for file, content in render(SHOWN[name], texts).items()}


def comparable(file: str, content: bytes) -> object:
    """What of a file is ours: a workbook's parts and not how they were packed, a page without the packed library.

    Of a picture the shapes and texts: where they stand depends on how wide the fonts of a machine are.
    """
    match Path(file).suffix:
        case ".xlsx":
            return parts(content)
        case ".html":
            return _LIBRARY.sub(rb"\1", content)
        case ".svg":
            return _NUMBER.sub("0", content.decode())
        case _:
            return content


def places(picture: bytes) -> list[float]:
    """Every number of a picture, in order: where its shapes stand."""
    return [float(number) for number in _NUMBER.findall(picture.decode())]
