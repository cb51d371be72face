"""Vega's SVG with the same picture in a fifth of the bytes, since pictures are committed beside the report.

What goes: groups that only nest, shapes that paint nothing, roles of single marks, clip paths (a chart's data lie
within its scales), decimals beyond a tenth of a pixel, and whatever many neighbours say alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"
_MEANINGLESS = {"class", "role", "clip-path", "pointer-events", "display", "font-family"}
_DEFAULTS = {
    "opacity": "1",
    "stroke-width": "1",
    "stroke-dasharray": "1,0",
    "stroke-miterlimit": "10",
    "text-anchor": "start",
    "font-weight": "normal",
    "font-size": "11px",
    "x2": "0",
    "y2": "0",
}
_INHERITED = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "text-anchor",
    "font-size",
    "font-weight",
    "fill-opacity",
    "stroke-opacity",
)
_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_SHIFT = re.compile(r"translate\(([^,]+),([^)]+)\)")
_CORNERS = re.compile(r"(?:M[^A-Za-z]+(?:L[^A-Za-z]+)*Z?)+")
_CORNER = re.compile(r"([ML])([^,A-Za-z]+),([^,A-Za-z]+)|(Z)")

_SHARED_FROM = 3
"""So many symbols of one shape are drawn as uses of one definition."""


def compact(svg: str) -> ET.Element:
    """The root element with `viewBox`, `width` and `height` as before."""
    old = ET.fromstring(svg)  # noqa: S314 - what vl-convert has just written
    root = ET.Element("svg", {name: old.attrib[name] for name in ("width", "height", "viewBox")})
    root.extend(_kept(old, 0, 0))
    _hoist(root)
    return root


# ---------------------------------------------------------------- one element at a time


def _kept(parent: ET.Element, x: float, y: float) -> Iterator[ET.Element]:
    """What paints among the children, moved by the shifts of the groups that are left out."""
    for child in parent:
        tag = child.tag.removeprefix(_SVG)
        if tag == "defs" or child.get("display") == "none":
            continue
        if tag == "g":
            yield from _group(child, x, y)
        elif (element := _leaf(child, tag, x, y)) is not None:
            yield element


def _group(old: ET.Element, x: float, y: float) -> Iterator[ET.Element]:
    """The marks of one kind stay together; a group of groups is nothing by itself."""
    shift = _SHIFT.fullmatch(old.get("transform", ""))
    if shift:
        x, y = x + float(shift[1]), y + float(shift[2])
    children = list(_kept(old, x, y))
    opacity = old.get("opacity", "1")
    if opacity == "1" and any(child.tag == "g" for child in children):
        yield from children
    elif children:
        group = ET.Element("g", {} if opacity == "1" else {"opacity": opacity})
        group.extend(_merged(children))
        yield group


def _leaf(old: ET.Element, tag: str, x: float, y: float) -> ET.Element | None:
    """A shape or a text in the coordinates of the picture; None for one that paints nothing."""
    looks = {
        name: value
        for name, value in old.attrib.items()
        if name not in _MEANINGLESS and not name.startswith("aria-") and _DEFAULTS.get(name) != value
    }
    if tag == "text":
        return _text(old, looks, x, y)
    if looks.get("opacity") == "0":
        return None
    is_painted = any(looks.get(name, "none") not in ("none", "transparent") for name in ("fill", "stroke"))
    shift = _SHIFT.fullmatch(looks.pop("transform", "translate(0,0)"))
    if not is_painted or shift is None:
        return None
    x, y = x + float(shift[1]), y + float(shift[2])
    if tag == "line":
        looks["d"] = f"M{_short(x)} {_short(y)}l{_short(looks.pop('x2', '0'))} {_short(looks.pop('y2', '0'))}"
    elif tag == "path" and _CORNERS.fullmatch(looks.get("d", "")):
        looks["d"] = _relative(looks["d"], x, y)
    elif tag == "path" and looks.get("d"):
        looks["d"] = _NUMBER.sub(lambda found: _short(found[0]), looks["d"])
        looks["transform"] = f"translate({_short(x)} {_short(y)})"
    else:
        return None
    return ET.Element("path", looks)


def _text(old: ET.Element, looks: dict[str, str], x: float, y: float) -> ET.Element | None:
    """A text of one line, or of several in a `tspan` each; None without words."""
    if not "".join(old.itertext()):
        return None
    element = ET.Element("text", {**_placed_text(looks.pop("transform", ""), x, y), **looks})
    element.text = old.text
    for line in old:
        kept = ET.SubElement(element, "tspan", {"x": element.get("x", "0"), "dy": line.get("dy", "0")})
        kept.text = line.text
    return element


def _placed_text(transform: str, x: float, y: float) -> dict[str, str]:
    """A text that only moved has a place; one that is turned keeps its transform behind the shift."""
    shift = _SHIFT.match(transform)
    if shift:
        x, y, transform = x + float(shift[1]), y + float(shift[2]), transform[shift.end() :].strip()
    if not transform:
        return {"x": _short(x), "y": _short(y)}
    turned = _NUMBER.sub(lambda found: _short(found[0]), transform)
    return {"transform": f"translate({_short(x)} {_short(y)}) {turned}"}


def _relative(path: str, x: float, y: float) -> str:
    """Corners as steps from one to the next, in whole tenths of a pixel, so that no rounding adds up."""
    at_x, at_y = 0, 0
    told = []
    for command, right, down, end in _CORNER.findall(path):
        if end:
            told.append("z")
            continue
        to_x, to_y = round((x + float(right)) * 10), round((y + float(down)) * 10)
        if command == "M":
            told.append(f"M{_tenths(to_x)} {_tenths(to_y)}")
        else:
            told.append(f"l{_tenths(to_x - at_x)} {_tenths(to_y - at_y)}")
        at_x, at_y = to_x, to_y
    return "".join(told).replace(" -", "-")


def _tenths(value: int) -> str:
    return _short(value / 10)


def _short(value: str | float) -> str:
    """At most one decimal, no zero before it."""
    text = f"{float(value):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


# ---------------------------------------------------------------- neighbours


def _merged(children: list[ET.Element]) -> Iterator[ET.Element]:
    """Rules that look alike, as grid lines do, in one path."""
    last: ET.Element | None = None
    for child in children:
        d = child.get("d", "")
        looks = {name: value for name, value in child.attrib.items() if name != "d"}
        if last is not None and _is_rule(d) and _is_rule(last.get("d", "")) and looks == _without_path(last):
            last.set("d", last.get("d", "") + d)
            continue
        if last is not None:
            yield last
        last = child
    if last is not None:
        yield last


def _without_path(element: ET.Element) -> dict[str, str]:
    return {name: value for name, value in element.attrib.items() if name != "d"}


def _is_rule(path: str) -> bool:
    return bool(re.fullmatch(r"(?:M[^A-Za-z]+l[^A-Za-z]+)+", path))


def _hoist(root: ET.Element) -> None:
    """Looks that all marks of a group share belong to the group; a group of one mark is that mark."""
    for place, group in enumerate(list(root)):
        if group.tag != "g":
            continue
        children = list(group)
        if len(children) == 1 and not group.attrib:
            root[place] = children[0]
            continue
        for name in _INHERITED:
            values = {child.get(name) for child in children}
            value = values.pop()
            if not values and value is not None:
                group.set(name, value)
                for child in children:
                    del child.attrib[name]


def share_symbols(root: ET.Element) -> None:
    """Points become uses of their shape, which is defined once."""
    placed = [path for path in root.iter("path") if path.get("transform", "").startswith("translate")]
    shapes = Counter(path.attrib["d"] for path in placed)
    names = {shape: f"s{place}" for place, (shape, count) in enumerate(shapes.items()) if count >= _SHARED_FROM}
    if not names:
        return
    for path in placed:
        if path.attrib["d"] in names:
            shift = path.attrib.pop("transform").removeprefix("translate(").removesuffix(")").split(" ")
            path.tag = "use"
            path.attrib.update({"href": f"#{names[path.attrib.pop('d')]}", "x": shift[0], "y": shift[1]})
    defs = ET.Element("defs")
    for shape, name in names.items():
        ET.SubElement(defs, "path", {"id": name, "d": shape})
    root.insert(0, defs)
