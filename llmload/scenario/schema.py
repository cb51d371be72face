"""The JSON Schema that editors complete and check scenario files with, generated from the models that judge them."""

from __future__ import annotations

import json

from pydantic import JsonValue

from llmload.errors import Problem
from llmload.frameworks.registry import REGISTRY, adapters
from llmload.scenario.document.root import ScenarioDocument
from llmload.scenario.document.settings import settings_model
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Trouble, find, format_path, plain
from llmload.scenario.validation import written_path

FILE_NAME = "scenario-v1.schema.json"
Schema = dict[str, JsonValue]


def scenario_schema() -> Schema:
    """Draft 2020-12; the settings allowed in `framework_config` follow from `framework`, plug-ins included."""
    schema: Schema = ScenarioDocument.model_json_schema(by_alias=True)
    definitions = _member(schema, "$defs")
    conditions: list[JsonValue] = []
    for name, adapter in adapters().items():
        settings: Schema = settings_model(adapter.settings).model_json_schema()
        title = str(settings["title"]) if name in REGISTRY else f"framework.{name}"
        definitions[title] = settings
        chosen: Schema = {"properties": {"framework": {"const": name}}}
        if name != "openai":  # which is what a document without `framework` means
            chosen["required"] = ["framework"]
        conditions.append({"if": chosen, "then": {"properties": {"framework_config": {"$ref": f"#/$defs/{title}"}}}})
    target = _member(definitions, "Target")
    target["allOf"] = conditions
    properties = _member(target, "properties")
    _member(properties, "framework")["enum"] = list(adapters())
    apis: list[JsonValue] = list({api: None for adapter in adapters().values() for api in adapter.dialects})
    _member(properties, "api")["anyOf"] = [{"enum": apis}, {"type": "null"}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "llmload scenario, llmload/v1",
    }


def _member(parent: Schema, name: str) -> Schema:
    found = parent[name]
    assert isinstance(found, dict)  # noqa: S101 - pydantic's own shape
    return found


def against_schema(loaded: Loaded) -> list[Problem]:
    """Where a valid document breaks the schema; variables are filled in before, which no editor does."""
    from jsonschema import Draft202012Validator

    troubles: list[Trouble] = []
    for error in Draft202012Validator(scenario_schema()).iter_errors(plain(loaded.root)):
        path = written_path(loaded.root, list(error.absolute_path))
        place = (find(loaded.root, path) or loaded.root).place
        hint = "The schema is for editors; please report this difference"
        troubles.append(Trouble(place, format_path(path), f"the JSON Schema refuses it: {error.validator}", hint))
    return loaded.source.problems(troubles)


def schema_text() -> str:
    """The schema as it is committed: sorted, indented, with a final newline."""
    return json.dumps(scenario_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
