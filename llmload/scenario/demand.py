"""What a wish for capacity settles in its document: the prices of its file, so that the file is not needed again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmload.scenario.document.capacity import Recommend
from llmload.scenario.files import lead
from llmload.scenario.price_file import read_prices
from llmload.scenario.source import Loaded


def settle_demand(loaded: Loaded, directory: Path) -> Loaded:
    """The document with all prices in it and no file named; as it was, where it asks for no capacity.

    DataFileError: the price file cannot be used.
    """
    spec = loaded.document.spec
    if spec.recommend is None:
        return loaded
    recommend = _with_prices(spec.recommend, directory)
    document = loaded.document.model_copy(update={"spec": spec.model_copy(update={"recommend": recommend})})
    notices = (_once_more(spec.decision.repeats),) if spec.decision.repeats > 1 else ()
    return replace(loaded, document=document, notices=(*loaded.notices, *notices))


def _with_prices(recommend: Recommend, directory: Path) -> Recommend:
    """Prices of the document win over those of the file, whatever the capitals of their names."""
    if recommend.price_file is None:
        return recommend
    written = {name.casefold() for name in recommend.prices}
    listed = read_prices(lead(recommend.price_file, directory))
    others = {name: usd for name, usd in listed.items() if name.casefold() not in written}
    return recommend.model_copy(update={"prices": {**others, **recommend.prices}, "price_file": None})


def _once_more(repeats: int) -> str:
    return (
        f"With decision.repeats: {repeats} the loads of the ladder are measured {repeats} times and no others, so the"
        " capacity is known no finer than the ladder; write repeats: 1 to search between its loads."
    )
