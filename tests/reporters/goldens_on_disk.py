"""Expected outputs, byte for byte; `make golden` writes them again and reviewers read the difference."""

from __future__ import annotations

from pathlib import Path

GOLDENS = Path(__file__).parent / "goldens"


def assert_golden(name: str, found: bytes, *, update: bool) -> None:
    """Compare with the file of that name, or write it."""
    path = GOLDENS / name
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(found)
    assert found == path.read_bytes(), f"{path.name} differs; run `make golden` and review the difference"
