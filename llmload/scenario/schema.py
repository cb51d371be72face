"""The JSON Schemas that editors check scenarios and presets with, generated from the models that judge them."""

from __future__ import annotations

import json

from pydantic import JsonValue

from llmload.errors import Problem
from llmload.frameworks.embeddings import text_apis
from llmload.frameworks.registry import REGISTRY, adapters
from llmload.scenario.document.root import BaseDocument, ScenarioDocument
from llmload.scenario.document.settings import settings_model
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Trouble, find, format_path, plain
from llmload.scenario.validation import written_path

FILE_NAME = "scenario-v1.schema.json"
PRESET_FILE_NAME = "preset-v1.schema.json"
Schema = dict[str, JsonValue]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_WHOLE = ("Metadata", "GateForm", "UniformLengths", "LognormalLengths", "DockerLogs", "FileLogs")
"""What a preset writes as a whole, if at all: it names itself, lists are replaced, unions are told apart by keys."""


def scenario_schema() -> Schema:
    """Draft 2020-12; the settings allowed in `framework_config` follow from `framework`, plug-ins included.

    Where a scenario extends something, that may say which server is meant and what it runs.
    """
    schema = _with_settings(ScenarioDocument.model_json_schema(by_alias=True))
    definitions = _member(schema, "$defs")
    del _member(definitions, "Spec")["required"]
    schema["required"] = ["apiVersion", "kind", "metadata"]
    schema["if"] = {"properties": {"extends": {"type": "array"}}, "required": ["extends"]}
    unsaid: Schema = {"not": {"required": ["framework"]}}
    settings: Schema = {"properties": {"framework_config": {"$ref": f"#/$defs/{_title('openai')}"}}}
    target: Schema = {"if": unsaid, "then": settings}
    schema["else"] = {
        "properties": {"spec": {"required": ["target"], "properties": {"target": target}}},
        "required": ["spec"],
    }
    return {"$schema": _DRAFT, **schema, "title": "llmload scenario, llmload/v1"}


def preset_schema() -> Schema:
    """Of what scenarios extend, as far as a part of a scenario can be judged: nothing of it need be there."""
    schema = _with_settings(BaseDocument.model_json_schema(by_alias=True))
    for name in _member(schema, "$defs"):
        if name not in _WHOLE:
            _member(_member(schema, "$defs"), name).pop("required", None)
    _member(schema, "properties")["kind"] = {"const": "Preset", "title": "Kind", "type": "string"}
    return {"$schema": _DRAFT, **schema, "title": "llmload preset, llmload/v1"}


def _title(framework: str) -> str:
    settings = settings_model(adapters()[framework].settings)
    return str(settings.model_json_schema()["title"]) if framework in REGISTRY else f"framework.{framework}"


def _with_settings(schema: Schema) -> Schema:
    """The schema of a document with the settings of each framework that it names."""
    definitions = _member(schema, "$defs")
    conditions: list[JsonValue] = []
    for name, adapter in adapters().items():
        definitions[_title(name)] = settings_model(adapter.settings).model_json_schema()
        chosen: Schema = {"properties": {"framework": {"const": name}}, "required": ["framework"]}
        then: Schema = {"properties": {"framework_config": {"$ref": f"#/$defs/{_title(name)}"}}}
        conditions.append({"if": chosen, "then": then})
    target = _member(definitions, "Target")
    target["allOf"] = conditions
    properties = _member(target, "properties")
    _member(properties, "framework")["enum"] = list(adapters())
    apis: list[JsonValue] = list({api: None for adapter in adapters().values() for api in text_apis(adapter)})
    _member(properties, "api")["anyOf"] = [{"enum": apis}, {"type": "null"}]
    return schema


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
    """The schema of scenarios as it is committed: sorted, indented, with a final newline."""
    return _text(scenario_schema())


def preset_schema_text() -> str:
    """The schema of presets as it is committed."""
    return _text(preset_schema())


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
