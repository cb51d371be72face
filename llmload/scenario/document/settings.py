"""`framework_config`: the settings dataclass of a framework as a strict section, made from its annotations."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import cache
from typing import Any, get_type_hints

from pydantic import create_model

from llmload.scenario.document.quantities import Section


@cache
def settings_model(settings: type) -> type[Section]:
    """A model with the dataclass's fields, types and defaults that refuses unknown ones."""
    hints = get_type_hints(settings, include_extras=True)
    # create_model takes (type, default) pairs, which no type but Any can say: this is the YAML boundary
    members: dict[str, Any] = {
        field.name: (hints[field.name], ... if field.default is MISSING else field.default)
        for field in fields(settings)
    }
    return create_model(settings.__name__, __base__=Section, __doc__=settings.__doc__, **members)
