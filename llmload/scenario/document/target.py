"""`spec.target`: the server under test, or how to start one."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from llmload.errors import UsageError
from llmload.frameworks.registry import REGISTRY, adapter_for, known_names, unreadable
from llmload.scenario.document.quantities import (
    Cost,
    Count,
    Duration,
    Patience,
    Section,
    Share,
    Text,
    TokenRate,
    VariableName,
    Whole,
    wrong,
)
from llmload.scenario.nearest import nearest

PROFILES = ("laptop", "a10g", "l4", "a100", "h100", "h200")
"""Machines that the simulator knows (a test holds this against simulator/profiles.py)."""
API_HINT = "Write api_key: {env: LLM_API_KEY} or api_key: {file: path}; a scenario never holds a secret"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LONGEST_URL = 2000
_OUR_HEADERS = ("host", "content-length", "content-type", "transfer-encoding", "connection")


def _refuse_literal(value: object) -> object:
    if not isinstance(value, dict):
        raise wrong("a literal key cannot stand in a scenario", API_HINT)
    return value


class Reference(Section):
    """Where a secret is found."""

    env: VariableName | None = None
    file: Text | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise wrong("exactly one of env and file must name the secret", API_HINT)
        return self


Secret = Annotated[Reference, BeforeValidator(_refuse_literal)]


def _check_url(url: str) -> str:
    if len(url) > _LONGEST_URL:
        raise wrong(f"a URL of {len(url)} characters", f"Write it like {API_URL}")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:  # its words may quote a password
        raise wrong("not a URL: the host or the port cannot be read", f"Write it like {API_URL}") from None
    if parts.scheme not in ("http", "https"):
        likely = f"http://{url}" if re.fullmatch(r"[\w.-]+(:\d+)?/?", url) else API_URL
        raise wrong("a URL begins with http:// or https://", f"Write it like {likely}")
    if not host or port == 0:
        raise wrong("the URL names no host", f"Write it like {API_URL}")
    if any(character.isspace() or not character.isascii() for character in url):
        raise wrong("the URL has a blank or a character outside ASCII", "Delete it, or write it percent-encoded")
    if parts.path.rstrip("/").endswith("/v1"):
        raise wrong("the URL ends in /v1, which llmload adds itself", f"Write it without /v1, like {API_URL}")
    return url


API_URL = "http://localhost:8000"
Url = Annotated[Text, AfterValidator(_check_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    seen: set[str] = set()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise wrong(f"{name!r} is not the name of a header", "Use letters, digits and hyphens")
        if name.lower() in _OUR_HEADERS:
            raise wrong(f"the header {name} is set by llmload itself", "Delete it")
        if name.lower() in seen:
            raise wrong(f"the header {name} is given twice", "Keep one; case makes no difference in header names")
        if any((letter < " " and letter != "\t") or letter == "\x7f" or letter > "\xff" for letter in value):
            raise wrong(f"the value of {name} cannot be sent in a header", "Use one line of Latin-1 text")
        seen.add(name.lower())
    return headers


class Faults(Section):
    """What the simulator does wrong on purpose; shares are of requests."""

    error_rate: Share = 0.0
    error_status: Annotated[int, Ge(400), Le(599)] = 500
    disconnect_rate: Share = 0.0
    stall_rate: Share = 0.0
    malformed_rate: Share = 0.0
    stream_error_rate: Annotated[Share, Field(description="The error comes inside an answer of status 200")] = 0.0
    slow_first_byte_rate: Share = 0.0
    slow_first_byte: Duration = 1.0
    restart_after: Count | None = None

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        shares = (
            self.error_rate,
            self.disconnect_rate,
            self.stall_rate,
            self.malformed_rate,
            self.stream_error_rate,
            self.slow_first_byte_rate,
        )
        if sum(shares) > 1 + 1e-9:
            raise wrong(
                "the shares of faults are more than 100% together", "A request has at most one fault; lower them"
            )
        return self


def _known_profile(name: str) -> str:
    if name not in PROFILES:
        raise wrong(f"unknown profile {name!r}", nearest(name, PROFILES))
    return name


Profile = Annotated[str, AfterValidator(_known_profile), WithJsonSchema({"enum": sorted(PROFILES)})]


class Simulator(Section):
    """The embedded server; what is not written comes from the profile."""

    profile: Profile = "laptop"
    model: Text | None = None
    prefill: TokenRate | None = None
    decode_base: Cost | None = None
    decode_per_seq: Cost | None = None
    max_num_seqs: Count | None = None
    kv_cache_tokens: Count | None = None
    max_model_len: Count | None = None
    prefix_cache: bool = True
    replicas: Annotated[int, Ge(1), Le(64)] = 1
    seed: Whole = 0
    api_key: Secret | None = None
    faults: Faults = Faults.model_construct()
    mean_answer_tokens: Count = 128
    reasoning_tokens: Annotated[int, Ge(0), Field(description="With which each answer of OpenAI's chat API begins")] = 0
    refuse_fields: list[Text] = Field(default_factory=list)


class Tls(Section):
    """How a certificate is checked."""

    verify: bool = True
    ca_file: Text | None = None


class Timeout(Section):
    """How long one request may take."""

    connect: Patience = 5.0
    first_token: Patience = 60.0
    total: Patience = 600.0


def _refuse_shell_line(value: object) -> object:
    if isinstance(value, str):
        hint = f"Write it like [{', '.join(value.split())}]; no shell reads it"
        raise wrong("a command is a list of the program and its arguments", hint)
    return value


EnvironmentValue = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class Launch(Section):
    """How to start the server ourselves."""

    command: Annotated[
        list[Text],
        Field(min_length=1, description="Program and arguments; no shell reads them"),
        BeforeValidator(_refuse_shell_line),
    ]
    env: Annotated[
        dict[VariableName, EnvironmentValue], Field(description="Variables of the server, over those of llmload")
    ] = Field(default_factory=dict)
    ready_timeout: Annotated[Patience, Field(description="From its start to its first answer")] = 600.0


def _known_framework(name: str) -> str:
    if name not in REGISTRY and name not in known_names():
        raise wrong(f"unknown framework {name!r}{unreadable()}", nearest(name, known_names()))
    try:
        adapter_for(name)
    except UsageError as error:
        raise wrong(error.problem, error.remedy) from None
    return name


# which frameworks and APIs there are, scenario/schema.py writes into the schema: plug-ins may add some
Framework = Annotated[str, AfterValidator(_known_framework)]


class Target(Section):
    """The server under test: url, simulator, or launch together with the url where it will listen."""

    url: Annotated[Url | None, Field(description="Where the server listens, without /v1")] = None
    simulator: Simulator | None = None
    launch: Launch | None = None
    model: Annotated[Text | None, Field(description="Optional when the server serves exactly one model")] = None
    framework: Framework = "openai"
    framework_config: dict[str, JsonValue] = Field(default_factory=dict)
    api: Annotated[Text | None, Field(description="Which of the framework's APIs; its usual one if not written")] = None
    api_key: Secret | None = None
    headers: Annotated[dict[str, str], AfterValidator(_check_headers)] = Field(default_factory=dict)
    tls: Tls = Tls.model_construct()
    timeout: Timeout = Timeout.model_construct()
    transport: Annotated[
        Literal["auto", "fast", "httpx"],
        Field(description="fast goes directly; httpx takes proxies and HTTP/2; auto is httpx where a proxy applies"),
    ] = "auto"

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = [name for name in ("url", "simulator", "launch") if getattr(self, name) is not None]
        if not places:
            raise wrong("no server is named", f"Write one of url: {API_URL}, simulator: {{}} or launch:")
        if len(places) > 1 and places != ["url", "launch"]:
            raise wrong(f"{' and '.join(places)} exclude each other", "Keep one of them")
        if places == ["launch"]:
            raise wrong("nothing says where the launched server will listen", f"Write url: {API_URL}, with its port")
        return self
