"""The whole document: apiVersion, kind, metadata, extends and spec."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from llmload.scenario.document.capacity import Recommend
from llmload.scenario.document.load import Load
from llmload.scenario.document.promises import Decision, GateItem, Slo
from llmload.scenario.document.quantities import Section, Text, wrong
from llmload.scenario.document.target import Target, Url
from llmload.scenario.document.workload import Workload

FormatName = Literal["markdown", "html", "junit", "excel", "csv", "json"]
MAX_EXTENDED = 10
"""Documents that one scenario may extend."""
FORMATS: tuple[FormatName, ...] = ("markdown", "html", "junit", "excel", "csv", "json")


class Metadata(Section):
    """Who the scenario is: `name` is the key of its history and baselines."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=100)]
    description: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class GpuTelemetry(Section):
    """Where GPU figures come from."""

    source: Literal["auto", "nvml", "dcgm", "none"] = "auto"
    url: Url | None = None

    @model_validator(mode="after")
    def _url_for_dcgm(self) -> Self:
        if self.url is not None and self.source != "dcgm":
            raise wrong("url belongs to source: dcgm", "Write source: dcgm, or delete url", "url")
        return self


class DockerLogs(Section):
    """The log of a container."""

    docker: Text


class FileLogs(Section):
    """A log file."""

    file: Text


def _logs(value: object) -> str:
    if isinstance(value, DockerLogs) or (isinstance(value, dict) and "docker" in value):
        return "logs:docker"
    return "logs:file" if isinstance(value, dict | FileLogs) else "logs:none"


Logs = Annotated[
    Annotated[Literal["none"], Tag("logs:none")]
    | Annotated[DockerLogs, Tag("logs:docker")]
    | Annotated[FileLogs, Tag("logs:file")],
    Discriminator(_logs),
]


def _metrics(value: object) -> str:
    return "metrics:url" if isinstance(value, str) and "/" in value else "metrics:named"


ServerMetrics = Annotated[
    Annotated[Literal["auto", "none"], Tag("metrics:named")] | Annotated[Url, Tag("metrics:url")],
    Discriminator(_metrics),
]


class Telemetry(Section):
    """What is read beside the load."""

    gpu: GpuTelemetry = GpuTelemetry.model_construct()
    server_metrics: ServerMetrics = "auto"
    server_logs: Logs = "none"


def _without_alias(value: object) -> object:
    return "excel" if value == "xlsx" else value


def _different(formats: list[str]) -> list[str]:
    for position, name in enumerate(formats):
        if name in formats[:position]:
            raise wrong(f"the format {name} stands twice", "Keep one; xlsx is another name of excel")
    return formats


Format = Annotated[FormatName, BeforeValidator(_without_alias), WithJsonSchema({"enum": [*FORMATS, "xlsx"]})]


class Reports(Section):
    """Where reports go and which are written."""

    dir: Text = "reports"
    formats: Annotated[list[Format], AfterValidator(_different)] = Field(default_factory=lambda: list(FORMATS))


Matrix = Annotated[
    dict[str, JsonValue],
    Field(
        description="One run for each combination: paths below spec with lists of values; docs/matrix.md",
        examples=[{"target.launch.env.THREADS": ["4", "8"], "load.concurrency": [[1, 10], [50]]}],
    ),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "include": {"type": "array", "items": {"type": "object"}},
                "exclude": {"type": "array", "items": {"type": "object"}},
                "max_cells": {"type": "integer", "minimum": 1, "maximum": 1000},
            },
            "additionalProperties": {"type": "array", "minItems": 1},
        }
    ),
]


class Spec(Section):
    """What to run, against what, judged how."""

    target: Target
    workload: Workload = Workload.model_construct()
    load: Load = Load.model_construct()
    slo: Slo | None = None
    gates: list[GateItem] = Field(default_factory=list)
    decision: Decision = Decision.model_construct()
    recommend: Recommend | None = None
    telemetry: Telemetry = Telemetry.model_construct()
    reports: Reports = Reports.model_construct()
    matrix: Matrix | None = None


class ScenarioDocument(Section):
    """One scenario file, `apiVersion: llmload/v1`."""

    apiVersion: Literal["llmload/v1"]  # noqa: N815 - the name in the file
    kind: Literal["Scenario"]
    metadata: Metadata
    extends: Annotated[
        list[Text] | None,
        Field(
            max_length=MAX_EXTENDED,
            description="What this scenario is laid over: preset:NAME, or files beside it; the later ones win",
            examples=[["preset:chat-short"], ["base.yaml"]],
        ),
    ] = None
    spec: Spec


class BaseDocument(Section):
    """What scenarios extend: a part of a scenario, of kind Preset where it is made for that. Others complete it."""

    apiVersion: Literal["llmload/v1"]  # noqa: N815 - the name in the file
    kind: Literal["Preset", "Scenario"]
    metadata: Metadata | None = None
    spec: Spec
