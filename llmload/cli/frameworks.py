"""`llmload frameworks`: which frameworks a scenario may name, and what it may declare of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmload.cli import options

if TYPE_CHECKING:
    from llmload.frameworks.adapter import Adapter


def frameworks(json: options.Json = False) -> None:
    """List the frameworks, those of installed plug-ins included: APIs, settings with types and defaults.

    A plug-in that cannot be used is listed with the reason. Exit code 0.

    Example: llmload frameworks
    """
    from llmload.frameworks.registry import adapters, refusals

    if json:
        print(_as_json())
        return
    print("\n\n".join("\n".join(_as_text(adapter)) for adapter in adapters().values()))
    for refused in refusals():
        print(f"\n{refused.name}  not used: {refused.because} ({refused.distribution})")


def _as_text(adapter: Adapter) -> list[str]:
    from llmload.analysis.declared import written
    from llmload.frameworks.settings import settings_of

    default, *others = adapter.dialects
    apis = ", ".join([f"{default} (default)" if others else default, *others])
    settings = settings_of(adapter.settings)
    name_width = max((len(each.name) for each in settings), default=0)
    value_width = max((len(written(each.default)) for each in settings), default=0)
    return [
        f"{adapter.name}  api: {apis}  run against: {adapter.ran_against or 'no real server yet'}",
        *(f"  {each.name:<{name_width}}  {written(each.default):<{value_width}}  {each.type}" for each in settings),
    ]


def _as_json() -> str:
    import json
    from dataclasses import asdict

    from llmload.frameworks.registry import adapters, refusals
    from llmload.frameworks.settings import settings_of

    listed = [
        {
            "name": adapter.name,
            "apis": list(adapter.dialects),
            "settings": [asdict(setting) for setting in settings_of(adapter.settings)],
            "ran_against": adapter.ran_against or None,
        }
        for adapter in adapters().values()
    ]
    refused = [asdict(each) for each in refusals()]
    return json.dumps({"frameworks": listed, "refused": refused}, indent=2, ensure_ascii=False)
