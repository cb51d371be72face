"""The verbs, in the order in which --help shows them."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Hang every verb on the application; a verb is a plain function in the module of its name."""
