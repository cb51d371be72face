"""Every page of the site for those who see, hear or point differently: axe-core finds nothing to repair."""

from __future__ import annotations

import pytest

from tests.pages.served import OpenSite
from tests.pages.test_accessibility import TAGS, axe
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.stores import FAILED, RUNNING

pytestmark = pytest.mark.page


EACH = {
    "history": "?scenario=quickstart&label=tier%3Dpr",
    "history of nothing": "?scenario=nobody",
    "run that goes on": f"benchmark/{RUNNING}",
    "run that broke off": f"benchmark/{FAILED}",
    "refusal": "benchmark/nobody",
    "choice of runs": "compare",
    "recommendations": "recommend",
    "recommendation": f"recommend/{CLEAN.header.run_id}",
    "recommendation that could not be made": f"recommend/{TROUBLE.header.run_id}",
    "trends": "trends/regression",
    "builder": "new",
}
REFUSED = {EACH["refusal"]}
LONG = {
    "run with an analysis": f"benchmark/{CLEAN.header.run_id}",
    "run": f"benchmark/{TROUBLE.header.run_id}?shared=true",
    "comparison": f"compare?runs={CLEAN.header.run_id},20260201-080000-00000001",
}
"""Pages whose parts are those of reports, which test_accessibility.py looks at in each theme."""


@pytest.mark.parametrize(
    ("path", "language", "scheme"),
    [
        *(pytest.param(path, "en", "light", id=f"{name}, English, light") for name, path in EACH.items()),
        *(pytest.param(path, "ko", "dark", id=f"{name}, Korean, dark") for name, path in (EACH | LONG).items()),
    ],
)
def test_axe_finds_no_violation(open_site: OpenSite, path: str, language: str, scheme: str) -> None:
    page = open_site(f"{path}{'&' if '?' in path else '?'}lang={language}", color_scheme=scheme)
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator(".refusal").count() == (path in REFUSED)
    page.evaluate("() => { for (const each of document.querySelectorAll('details')) each.open = true; }")
    page.evaluate(axe())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    assert found["passes"]
    told = [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found["violations"]]
    assert told == []
