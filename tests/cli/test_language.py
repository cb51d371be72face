"""Which language reports are written in, when nobody, somebody or the locale says so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from llmload.cli.options import language
from llmload.errors import UsageError


@pytest.mark.parametrize(
    ("lang", "env", "found"),
    [
        pytest.param(None, {}, "en", id="nothing said"),
        pytest.param("ko", {"LLMLOAD_LANG": "en", "LC_ALL": "en_US.UTF-8"}, "ko", id="the option before all else"),
        pytest.param(None, {"LLMLOAD_LANG": "ko", "LC_ALL": "en_US.UTF-8"}, "ko", id="our variable before the locale"),
        pytest.param(None, {"LLMLOAD_LANG": "", "LANG": "ko_KR"}, "ko", id="our variable is empty"),
        pytest.param(None, {"LC_ALL": "C", "LC_MESSAGES": "ko_KR", "LANG": "ko_KR"}, "en", id="LC_ALL before the rest"),
        pytest.param(None, {"LC_ALL": "", "LC_MESSAGES": "ko_KR.UTF-8", "LANG": "C"}, "ko", id="LC_MESSAGES then"),
        pytest.param(None, {"LANG": "ko_KR.UTF-8"}, "ko", id="LANG at last"),
        pytest.param(None, {"LANG": "ko"}, "ko", id="no country and no encoding"),
        pytest.param(None, {"LANG": "ko.UTF-8@hanja"}, "ko", id="an encoding and a variant"),
        pytest.param(None, {"LANG": "de_DE.UTF-8"}, "en", id="a locale that reports do not have"),
        pytest.param(None, {"LANG": "POSIX"}, "en", id="no locale at all"),
        pytest.param(None, {"LANG": "kok_IN"}, "en", id="a code that only begins like one"),
    ],
)
def test_the_language_is_found(lang: str | None, env: Mapping[str, str], found: str) -> None:
    assert language(lang, env) == found


@pytest.mark.parametrize(
    ("lang", "env", "where"),
    [
        pytest.param("fr", {}, "--lang", id="the option"),
        pytest.param("", {}, "--lang", id="an empty option"),
        pytest.param(None, {"LLMLOAD_LANG": "ko_KR"}, "LLMLOAD_LANG", id="the variable, which is no locale"),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_told(lang: str | None, env: Mapping[str, str], where: str) -> None:
    with pytest.raises(UsageError, match=f"{where}: .* is no language of reports. Use one of: en, ko"):
        language(lang, env)
