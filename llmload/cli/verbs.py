"""The verbs, in the order in which --help shows them."""

from __future__ import annotations

import typer

from llmload.cli.ab import ab
from llmload.cli.analyze import analyze
from llmload.cli.apply import apply
from llmload.cli.baseline import baseline
from llmload.cli.calibrate import calibrate
from llmload.cli.ci import ci
from llmload.cli.compare import compare
from llmload.cli.convert import convert
from llmload.cli.dataset import dataset
from llmload.cli.export import export
from llmload.cli.frameworks import frameworks
from llmload.cli.gate import gate
from llmload.cli.gpu import gpu
from llmload.cli.info import info
from llmload.cli.init import init
from llmload.cli.plan import plan
from llmload.cli.preset import preset
from llmload.cli.profiles import profiles
from llmload.cli.publish import publish
from llmload.cli.recommend import recommend
from llmload.cli.report import report
from llmload.cli.run import run
from llmload.cli.runs import runs
from llmload.cli.schema import schema
from llmload.cli.serve import serve
from llmload.cli.show import show
from llmload.cli.simulate import simulate
from llmload.cli.store import store
from llmload.cli.tokens import tokens
from llmload.cli.validate import validate

VERBS = (
    init,
    validate,
    plan,
    apply,
    run,
    ab,
    calibrate,
    recommend,
    profiles,
    runs,
    show,
    compare,
    gate,
    report,
    export,
    serve,
    publish,
    analyze,
    simulate,
    convert,
    dataset,
    schema,
    frameworks,
    gpu,
    info,
)


def register(app: typer.Typer) -> None:
    """Hang every verb on the application; a verb is a plain function in the module of its name."""
    for verb in VERBS:
        app.command()(verb)
    app.add_typer(baseline)
    app.add_typer(ci)
    app.add_typer(preset)
    app.add_typer(store)
    app.add_typer(tokens)
