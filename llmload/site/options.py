"""What the owner of a site may choose, as `llmload serve` and the metadata of plain Datasette name it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from llmload.errors import UsageError
from llmload.reporters.texts import Language
from llmload.site.language import chosen_language

RATE_LIMIT_PER_S = 50.0
"""Requests a second of one client, on average: four people who click as fast as they can do not come near it."""

ANY_ORIGIN = "*"

_NAMES = {"api_key_env", "rate_limit", "cors", "sql", "lang"}


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Who may read, how fast, from which other sites, whether with SQL of their own, and in which language at first."""

    api_key: bytes | None = field(default=None, repr=False)  # None = anybody may read
    rate_limit_per_s: float = RATE_LIMIT_PER_S  # of one client; 0 = as fast as it can
    origins: tuple[str, ...] = ()  # of pages elsewhere whose scripts may read this site, or ANY_ORIGIN
    has_sql: bool = False
    language: Language = Language.EN


def read_options(chosen: Mapping[str, object], env: Mapping[str, str]) -> SiteOptions:
    """Options as configuration has them: `api_key_env`, `rate_limit`, `cors`, `sql` and `lang`, none of them needed.

    UsageError for a name or value that is not known, and where the variable that is to hold the key does not.
    """
    if unknown := sorted(set(chosen) - _NAMES):
        raise UsageError(unknown[0], "is no option of the site", f"Use one of: {', '.join(sorted(_NAMES))}")
    return SiteOptions(
        _key(chosen.get("api_key_env"), env),
        _rate(chosen.get("rate_limit", RATE_LIMIT_PER_S)),
        _origins(chosen.get("cors", ())),
        _sql(chosen.get("sql", False)),
        _language(chosen.get("lang"), env),
    )


def _key(name: object, env: Mapping[str, str]) -> bytes | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name.strip():
        raise UsageError("--api-key-env", "names no variable", "Name the environment variable that holds the key")
    key = env.get(name, "").strip()
    if not key:
        raise UsageError(
            "--api-key-env", f"the variable {name!r} is unset or empty", "Set it to the key; without one nothing opens"
        )
    if not key.isprintable():
        raise UsageError("--api-key-env", f"the key in {name!r} has control characters", "Use a key of one line")
    return key.encode()


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError("--rate-limit", f"{value!r} is no rate", "Use requests a second of one client; 0 = no limit")
    return float(value)


def _origins(value: object) -> tuple[str, ...]:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list | tuple):
        raise UsageError("--cors", f"{value!r} is no origin", "Use an origin such as https://ci.example.org, or *")
    return tuple(dict.fromkeys(_origin(each) for each in named))


def _origin(value: object) -> str:
    """Scheme, host and port as a browser names them; a header is made of it, so that it can hold nothing else."""
    if value == ANY_ORIGIN:
        return ANY_ORIGIN
    text = str(value).strip().rstrip("/").lower()
    try:
        parts = urlsplit(text)
        is_origin = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_origin = False
    if not is_origin or text != f"{parts.scheme}://{parts.netloc}" or "@" in text or not text.isascii():
        raise UsageError("--cors", f"{value!r} is no origin", "Use an origin such as https://ci.example.org, or *")
    return text


def _sql(value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError("sql", f"{value!r} is neither true nor false", "Use true to let readers ask with SQL")
    return value


def _language(value: object, env: Mapping[str, str]) -> Language:
    if value is None:
        return chosen_language(env.get("LLMLOAD_LANG")) or Language.EN
    language = chosen_language(value if isinstance(value, str) else None)
    if language is None:
        raise UsageError("--lang", f"{value!r} is no language of pages", f"Use one of: {', '.join(Language)}")
    return language
