"""Follows every link of a folder of pages as a browser would that has nothing but the folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class _Addresses(HTMLParser):
    """What a page leads to and loads, and the places in it that others may lead to."""

    led_to: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    is_chart: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_chart = ("id", "specifications") in attrs
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name == "href" and tag == "a":
                self.led_to.append(value or "")
            elif name in ("src", "data-src", "srcset", "action", "poster", "data") or name == "href":
                self.loaded.append(value or "")

    def handle_data(self, data: str) -> None:
        """Points of a chart lead to pages, too."""
        if self.is_chart:
            self.led_to += re.findall(r'"([^"\\\s]+\.html)"', data)


def _read(page: Path) -> _Addresses:
    addresses = _Addresses()
    addresses.feed(page.read_text("utf-8"))
    return addresses


def broken_links(folder: Path) -> list[str]:
    """Each address that leads nowhere, outside, or asks anybody else for something, with the page it stands on."""
    pages = {path.resolve(): _read(path) for path in sorted(folder.rglob("*.html"))}
    assert pages, f"no page in {folder}"
    told = []
    for path, page in pages.items():
        where = path.relative_to(folder.resolve())
        told += [f"{where}: loads {each}" for each in page.loaded if urlsplit(each).scheme or each.startswith("/")]
        for address in (*page.led_to, *page.loaded):
            if not urlsplit(address).scheme and not _leads_somewhere(address, path, pages, folder.resolve()):
                told.append(f"{where}: {address}")
    return told


def _leads_somewhere(address: str, page: Path, pages: dict[Path, _Addresses], folder: Path) -> bool:
    parts = urlsplit(address)
    aim = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if parts.query or parts.netloc or not aim.is_file() or not aim.is_relative_to(folder):
        return False
    return not parts.fragment or aim not in pages or unquote(parts.fragment) in pages[aim].anchors


def unreached(folder: Path) -> set[str]:
    """Pages that no way leads to from the first one."""
    waiting, seen = [(folder / "index.html").resolve()], set[Path]()
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".html":
            seen.add(page)
            waiting += [(page.parent / unquote(urlsplit(each).path)).resolve() for each in _read(page).led_to]
    return {str(path.relative_to(folder)) for path in folder.rglob("*.html") if path.resolve() not in seen}
