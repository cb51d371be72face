"""Files named in a scenario lie beside it."""

from __future__ import annotations

from pathlib import Path

from llmload.scenario.document.root import FileLogs, ScenarioDocument
from llmload.scenario.document.target import Reference, Target
from llmload.scenario.document.workload import Prompts


def beside(document: ScenarioDocument, directory: Path) -> ScenarioDocument:
    """The document with its file names led back to the working directory, from where everything is opened."""
    spec = document.spec
    target, workload, load = spec.target, spec.workload, spec.load
    if workload.tokenizer is not None:
        tokenizer = workload.tokenizer.model_copy(update={"file": lead(workload.tokenizer.file, directory)})
        workload = workload.model_copy(update={"tokenizer": tokenizer})
    workload = workload.model_copy(
        update={
            "prompts": _prompts(workload.prompts, directory),
            "mixture": workload.mixture
            and [each.model_copy(update={"prompts": _prompts(each.prompts, directory)}) for each in workload.mixture],
        }
    )
    if load.trace is not None:
        trace = load.trace.model_copy(update={"file": lead(load.trace.file, directory)})
        load = load.model_copy(update={"trace": trace})
    telemetry = spec.telemetry
    if isinstance(telemetry.server_logs, FileLogs):
        logs = FileLogs(file=lead(telemetry.server_logs.file, directory))
        telemetry = telemetry.model_copy(update={"server_logs": logs})
    updates = {"target": _target(target, directory), "workload": workload, "load": load, "telemetry": telemetry}
    return document.model_copy(update={"spec": spec.model_copy(update=updates)})


def _prompts(prompts: Prompts, directory: Path) -> Prompts:
    file, synthetic = prompts.file, prompts.synthetic
    if file is not None:
        file = file.model_copy(update={"path": lead(file.path, directory)})
    if synthetic is not None and synthetic.lengths is not None:
        lengths = synthetic.lengths.model_copy(update={"path": lead(synthetic.lengths.path, directory)})
        synthetic = synthetic.model_copy(update={"lengths": lengths})
    return prompts.model_copy(update={"file": file, "synthetic": synthetic})


def _target(target: Target, directory: Path) -> Target:
    tls, simulator = target.tls, target.simulator
    if tls.ca_file is not None:
        tls = tls.model_copy(update={"ca_file": lead(tls.ca_file, directory)})
    if simulator is not None:
        simulator = simulator.model_copy(update={"api_key": _secret(simulator.api_key, directory)})
    updates = {"tls": tls, "simulator": simulator, "api_key": _secret(target.api_key, directory)}
    return target.model_copy(update=updates)


def _secret(secret: Reference | None, directory: Path) -> Reference | None:
    if secret is None or secret.file is None:
        return secret
    return secret.model_copy(update={"file": lead(secret.file, directory)})


def lead(name: str, directory: Path) -> str:
    """The name, from the working directory, of a file that a scenario in `directory` names."""
    path = directory / Path(name).expanduser()
    working = Path.cwd()
    return str(path.relative_to(working) if path.is_relative_to(working) and directory == working else path)
