"""The shape of JSON: which keys there are, in which order, and of which types; and the JSON that real servers sent."""

from __future__ import annotations

from pathlib import Path

import orjson

_CAPTURES = Path(__file__).parent.parent / "captures"


def shape_of(value: object) -> object:
    """Names of types in place of values; of a list, the shape of its first entry."""
    if isinstance(value, dict):
        return {name: shape_of(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__


def is_part_of(part: object, whole: object) -> bool:
    """Whether `part` has nothing that `whole` has not, nor of another type."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_part_of(member, whole[name]) for name, member in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return not part or is_part_of(part[0], whole[0])
    return part == whole


def captured(name: str) -> tuple[int, str, bytes]:
    """Status, content type and body of a capture."""
    head, _, body = (_CAPTURES / name).read_bytes().partition(b"\r\n\r\n")
    lines = [line for line in head.decode().splitlines() if not line.startswith("#")]
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers.get("content-type", ""), body


def captured_json(name: str) -> object:
    """The JSON body of a capture."""
    return orjson.loads(captured(name)[2])


def captured_events(name: str) -> list[bytes]:
    """The payloads of a captured stream of server-sent events."""
    return [line[6:] for line in captured(name)[2].splitlines() if line.startswith(b"data: ")]
