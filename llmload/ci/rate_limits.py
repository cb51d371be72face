"""What GitHub's answers say of its rate limits.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api, "Exceeding the rate limit".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNTOLD_S = 60.0  # "wait for at least one minute"
_LEAST_S = 1.0  # so that patience ends
_SECONDS = re.compile(r"[0-9]{1,12}")
_LIMITED = re.compile(r"rate limit|abuse detection", re.IGNORECASE)


def limit_s(status: int, headers: Mapping[str, str], message: str, now_s: float) -> float | None:
    """How many seconds to wait before the request is allowed again; None where no limit refused it.

    `headers` are asked by lower-case names; `now_s` is in seconds since 1970, as GitHub tells the reset.
    """
    if status not in (403, 429):
        return None
    if _SECONDS.fullmatch(asked := headers.get("retry-after", "")):
        return max(float(asked), _LEAST_S)
    if headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "")
        return max(float(reset) - now_s + 1, _LEAST_S) if _SECONDS.fullmatch(reset) else _UNTOLD_S
    return _UNTOLD_S if status == 429 or _LIMITED.search(message) else None
