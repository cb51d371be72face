"""Structured logs on stderr. Secrets are scrubbed from every line, whoever wrote it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping

import structlog

from llmload.errors import UsageError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMATS = ("text", "json")


def configure(log_format: str, log_level: str, scrub: Callable[[str], str]) -> None:
    """Send logs of `log_level` and above to stderr in `log_format`; UsageError for unknown words."""
    if log_level not in LEVELS:
        raise UsageError("--log-level", f"unknown level {log_level!r}", f"Use one of: {', '.join(LEVELS)}")
    if log_format not in FORMATS:
        raise UsageError("--log-format", f"unknown format {log_format!r}", f"Use one of: {', '.join(FORMATS)}")

    def scrub_values(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        return {key: scrub(value) if isinstance(value, str) else value for key, value in event.items()}

    last = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            scrub_values,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[log_level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
