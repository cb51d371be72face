"""Every page: where it is, and the function that makes it."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.site.asking import Page
from llmload.site.pages import builder, comparison, history, recommendations, run, trends


@dataclass(frozen=True, slots=True)
class Route:
    """A page and its twin for programs. In `path`, `{name}` stands for one part, which the page finds by this name."""

    path: str  # behind the root of the site, without a slash before it
    page: Page
    document_path: str = ""
    document: Page | None = None

    @property
    def depth(self) -> int:
        """How many folders below the root a browser sees it."""
        return self.path.count("/")


ROUTES = (
    Route("", history.page, "history.json", history.document),
    Route("benchmark/{run}/export", run.export),
    Route("benchmark/{run}", run.page, "benchmark/{run}.json", run.document),
    Route("compare", comparison.page, "compare.json", comparison.document),
    Route("new", builder.page, "new.json", builder.document),
    Route("recommend/{run}", recommendations.page, "recommend/{run}.json", recommendations.document),
    Route("recommend", recommendations.listing, "recommend.json", recommendations.listing_document),
    Route("trends/{scenario}", trends.page, "trends/{scenario}.json", trends.document),
)
"""All pages of the site; the live events of a run are in `live.py`, scripts and styles in `assets.py`."""
