"""Secrets by reference: read only where they are sent, and scrubbed from everything that is told."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

from llmload.errors import UsageError
from llmload.scenario.asked import Launch, Scenario, SecretRef, ServerUrl, Simulator

MASK = "***"
_SECRET_NAME = re.compile(
    r"api[_-]?key|authorization|secret|passw|credential|(^|[_-])auth$|^token$|(?<!first)[_-]token$", re.IGNORECASE
)
_LONGEST = 65_536  # characters of a file: a stored run may name any, such as /dev/zero
_SHORTEST = 4  # a header value such as "1" is no secret, and scrubbing it would eat every figure


def read_secret(ref: SecretRef, env: Mapping[str, str]) -> str:
    """The secret itself; UsageError (exit 2) when the variable or the file is missing or empty."""
    if ref.env is not None:
        secret = env.get(ref.env, "").strip()
        if not secret:
            raise UsageError(f"${ref.env}", "the environment variable of a secret is not set", _env_remedy(ref.env))
        return _sendable(secret, f"${ref.env}")
    path = Path(ref.file or "")
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.read(_LONGEST + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(str(path), f"the file of a secret cannot be read ({reason})", "Check its path") from None
    if len(secret) > _LONGEST:
        raise UsageError(str(path), f"the file of a secret has over {_LONGEST:,} characters", "Check its path")
    if not secret:
        raise UsageError(str(path), "the file of a secret is empty", "Write the secret into it, on one line")
    return _sendable(secret, str(path))


def check_secrets(scenario: Scenario, env: Mapping[str, str]) -> None:
    """UsageError for a secret that is missing, before anything of the run is remembered or sent.

    The file of one may be written by the server that is launched for the run, and so is asked for later.
    """
    place = scenario.target.place
    for ref in (scenario.target.api_key, place.api_key if isinstance(place, Simulator) else None):
        if ref is not None and (ref.env is not None or not isinstance(place, Launch)):
            read_secret(ref, env)


def _env_remedy(name: str) -> str:
    return f"Set it (export {name}=...), or pass --env-file with a line {name}=..."


def _sendable(secret: str, where: str) -> str:
    """A header cannot carry line breaks or control characters; say so instead of failing in the client."""
    if any(character < " " or character == "\x7f" for character in secret):
        raise UsageError(where, "the secret has a line break or control character", "Store it as one line of text")
    return secret


def names_secret(name: str) -> bool:
    """Whether what is called so is a secret: `api_key`, `--api-key`, `HF_TOKEN`."""
    return bool(_SECRET_NAME.search(name))


def secret_argument(before: str, argument: str) -> str | None:
    """The secret in one argument of a command, which follows `before`: `--api-key VALUE` or `--api-key=VALUE`."""
    option, equals, value = argument.partition("=")
    if option.startswith("-"):
        return value if equals and names_secret(option) else None
    return argument if before.startswith("-") and "=" not in before and names_secret(before) else None


def mask_command(command: Sequence[str]) -> list[str]:
    """The command without its secrets."""
    found = [secret_argument(*pair) for pair in zip(("", *command), command, strict=False)]
    return [
        argument if secret is None else argument.removesuffix(secret) + MASK
        for argument, secret in zip(command, found, strict=True)
    ]


def scrub_url(url: str) -> str:
    """The URL without its user, password and query values."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{MASK}@{host}" if "@" in parts.netloc else host
    query = "&".join(_scrub_pair(pair) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, netloc, parts.path, query, MASK if parts.fragment else ""))


def _scrub_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals else MASK


def url_secrets(url: str) -> tuple[str, ...]:
    """User, password and query values of a URL, as written and decoded."""
    return tuple(sorted({part for part in _url_parts(url) if len(part) >= _SHORTEST}))


def _url_parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    user_info = parts.netloc.rpartition("@")[0]
    if user_info:
        user, _, password = user_info.partition(":")
        yield from (user_info, unquote(user_info), password, unquote(password))
        yield base64.b64encode(unquote(user_info).encode()).decode()
        if not password:
            yield from (user, unquote(user))
    for pair in parts.query.split("&"):
        yield pair.partition("=")[2]
    for _, value in parse_qsl(parts.query):
        yield value
    yield parts.fragment


def secrets_of(scenario: Scenario, env: Mapping[str, str]) -> tuple[str, ...]:
    """Every secret of a run, longest first: API keys, header values, user and query values of the URL, and what a
    launched server is given under the name of a secret.

    A reference that cannot be resolved has nothing to hide, so it raises nothing here.
    """
    found: set[str] = set()
    place = scenario.target.place
    refs = [scenario.target.api_key, place.api_key if isinstance(place, Simulator) else None]
    keys = {secret for ref in refs if ref for secret in _resolvable(ref, env)}
    for _, value in scenario.target.headers:
        found.update((value, value.strip().rpartition(" ")[2]))
    if isinstance(place, ServerUrl | Launch):
        found.update(url_secrets(place.url))
    if isinstance(place, Launch):
        found.update(_launch_secrets(place))
    return tuple(sorted(keys | {each for each in found if len(each) >= _SHORTEST}, key=lambda each: (-len(each), each)))


def _launch_secrets(launch: Launch) -> Iterator[str]:
    yield from (value for name, value in launch.env.items() if names_secret(name))
    pairs = zip(("", *launch.command), launch.command, strict=False)
    yield from (secret for pair in pairs if (secret := secret_argument(*pair)) is not None)


def _resolvable(ref: SecretRef, env: Mapping[str, str]) -> Iterator[str]:
    try:
        yield read_secret(ref, env)
    except UsageError:
        return


class Scrubber:
    """Takes secrets out of text, in each form in which they may come back: plain, in a URL, inside JSON."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret and secret != MASK for form in _forms(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def scrub(self, text: str) -> str:
        """The text with `***` in place of every secret."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
