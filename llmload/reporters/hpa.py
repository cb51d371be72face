"""A Kubernetes HorizontalPodAutoscaler that keeps each replica at the load for which the number of GPUs was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import floor

from llmload.analysis.wholes import exact
from llmload.capacity import Advice, Carried, Profile, Recommendation
from llmload.frameworks.registry import REGISTRY
from llmload.plain_text import plain
from llmload.samples import MetricName
from llmload.units import format_number

_IN_FLIGHT = "requests_in_flight"
"""What a metric is called of which no server tells the name."""

_LONGEST_NAME = 63
"""Characters of a DNS label (RFC 1123), which is what most objects of Kubernetes may be called."""

_LONGEST_LINE = 200

_NO_NAME = "llmload"

Manifest = Mapping[str, object]


def hpa_manifest(found: Recommendation, profile: Profile, scenario_name: str) -> str:
    """The manifest (autoscaling/v2) in YAML, with what it assumes in comments.

    Target per pod = load at the SLO / measured replicas / (1 + headroom), so that the peak of the demand asks for just
    as many replicas as were recommended. Raises ValueError where nothing is advised: there is no target then.
    """
    import yaml

    advice, carried = found.advice, profile.at_slo
    if advice is None or carried is None:
        raise ValueError("no load surely holds the SLO, and so there is no target to scale at")
    comments = "".join(f"{_comment(line)}\n" for line in _comments(advice, carried, profile))
    manifest = _manifest(advice, carried, profile, scenario_name)
    return comments + yaml.safe_dump(manifest, sort_keys=False, allow_unicode=False, width=1000)


def _comment(line: str) -> str:
    """One line of ours, whatever names are in it; its indent stays."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    return f"# {indent}{plain(line, _LONGEST_LINE)}".rstrip()


def _manifest(advice: Advice, carried: Carried, profile: Profile, scenario_name: str) -> Manifest:
    name = _dns_label(f"{scenario_name}-{profile.model}")
    target = {"type": "AverageValue", "averageValue": _quantity(_target(advice, carried, profile))}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name,
            "annotations": {"llmload-run": profile.run_id, "llmload-formula": advice.calculation_formula},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": _replicas(advice),
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": _metric_of(profile)}, "target": target}}],
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [
                        {"type": "Percent", "value": 100, "periodSeconds": 60},
                        {"type": "Pods", "value": 2, "periodSeconds": 60},
                    ],
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                },
            },
        },
    }


def _comments(advice: Advice, carried: Carried, profile: Profile) -> Iterator[str]:
    """What the figures rest on, and what nobody measured."""
    load, target = format_number(carried.concurrency), _quantity(_target(advice, carried, profile))
    many = f" by {profile.replicas} replicas" if profile.replicas > 1 else ""
    per_replica = f" / {profile.replicas}" if profile.replicas > 1 else ""
    headroom = format_number(advice.headroom_percent)
    yield f"Made by llmload from run {profile.run_id}: {profile.model} on {advice.recommended_gpu}."
    yield f"{load} requests in flight were carried within the SLO{many};"
    yield f"target of one pod: {load}{per_replica} / (1 + {headroom}%), rounded down = {target}."
    yield f"maxReplicas is the number that was recommended: {advice.calculation_formula}"
    yield ""
    yield "Assumed, and yours to check:"
    yield f"- one pod is one replica with {advice.gpus_per_replica or profile.gpus_per_replica} GPU(s) of that model;"
    yield "- scaleTargetRef names your Deployment;"
    yield "- how fast pods come and go (behavior), since nobody measured how long one of them takes to start;"
    yield from _about_metric(profile, _target(advice, carried, profile))


def _about_metric(profile: Profile, target: Fraction) -> Iterator[str]:
    running, waiting = _family_of(profile, "requests_running"), _family_of(profile, "requests_waiting")
    if running is None:
        yield f"- {profile.framework} tells no figure of requests in flight that llmload knows: map one of your gateway"
        yield f"  to {_IN_FLIGHT}, for each pod, with a Prometheus adapter."
        return
    yield f"- a Prometheus adapter serves {running} as a metric of pods, summed over the series of each pod;"
    yield "- that counts the requests that run; those that wait in the server are in flight too."
    together = running if waiting is None else f"{running} + {waiting}"
    most = profile.settings.get("max_num_seqs")
    if most is None:
        yield f"  Where no more than {_quantity(target)} may run at once, it never exceeds the target and no pod is"
        yield f"  added: map {together} to this name there."
    elif most.isascii() and most.isdecimal() and len(most) < 10 and target >= int(most):
        yield f"  At most {most} run at once (max_num_seqs), so that it never exceeds the target and no pod is added:"
        yield f"  map {together} to this name instead."


def _target(advice: Advice, carried: Carried, profile: Profile) -> Fraction:
    """Requests in flight of one replica."""
    return exact(carried.concurrency) / profile.replicas / (1 + exact(advice.headroom_percent) / 100)


def _quantity(target: Fraction) -> str:
    """A whole number of Kubernetes, or where that would be far less than the target, one with up to three decimals."""
    whole = floor(target)
    return str(whole) if whole >= 10 else format_number(max(floor(target * 1000), 1) / 1000)


def _replicas(advice: Advice) -> int:
    return advice.replicas or max(1, advice.recommended_count // (advice.gpus_per_replica or 1))


def _metric_of(profile: Profile) -> str:
    return _family_of(profile, "requests_running") or _IN_FLIGHT


def _family_of(profile: Profile, name: MetricName) -> str | None:
    """What the framework calls it; None where it tells nothing, or where a server may be of any kind."""
    adapter = REGISTRY.get(profile.framework)
    aliases = () if adapter is None else adapter.metric_names.get(name, ())
    if len(aliases) != 1:
        return None
    (alias,) = aliases
    return alias if isinstance(alias, str) else alias.family


def _dns_label(text: str) -> str:
    """Lower-case letters, digits and single hyphens inside, at most 63 characters."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return label[:_LONGEST_NAME].strip("-") or _NO_NAME
