"""`llmload/v1alpha1`, the flat shape of the earlier llm-loadtest tool, becomes v1."""

from __future__ import annotations

import re

from llmload.scenario.nearest import nearest
from llmload.scenario.tree import Entries, Items, Node, Scalar, Trouble
from llmload.units import format_number

KNOWN = (
    "apiVersion",
    "kind",
    "server_url",
    "model",
    "adapter",
    "framework",
    "framework_config",
    "vllm_config",
    "concurrency",
    "num_prompts",
    "input_len",
    "output_len",
    "stream",
    "warmup",
    "timeout",
    "goodput_thresholds",
    "api_key_env",
    "validation_config",
)
_VALIDATION = ("enabled", "docker_enabled", "container_name", "tolerance")
_REFERENCE = re.compile(r"\$\{[^}]*\}")


def convert(old: Entries) -> tuple[Node | None, list[str], list[Trouble]]:
    """The v1 tree, warnings that name their lines, and what cannot be converted."""
    conversion = _Conversion(old)
    return conversion.document(), conversion.notices, conversion.troubles


def scenario_name(model: str) -> str:
    """The old tool named no scenarios: the model does, in letters that a name of v1 may have."""
    plain = re.sub(r"[^a-z0-9]+", "-", _REFERENCE.sub("", model).lower()).strip("-")[:100].strip("-")
    return plain or "loadtest"


class _Conversion:
    def __init__(self, old: Entries) -> None:
        self.old = old
        self.notices: list[str] = []
        self.troubles: list[Trouble] = []

    def document(self) -> Node | None:
        for key, _ in self.old.pairs:
            if key.value not in KNOWN:
                name = str(key.value)
                self.troubles.append(Trouble(key.place, name, f"unknown key {name!r}", nearest(name, KNOWN)))
        for name in ("server_url", "model"):
            if self.old.get(name) is None:
                hint = f"Add {name}: ..., or write the document in llmload/v1"
                self.troubles.append(Trouble(self.old.place, name, f"{name} is missing", hint))
        spec = self.spec()
        if self.troubles:
            return None
        return self.entries(
            ("apiVersion", self.made("llmload/v1")),
            ("kind", self.made("Scenario")),
            ("metadata", self.entries(("name", self.made(self.name())))),
            ("spec", spec),
        )

    def made(self, value: str, like: Node | None = None) -> Scalar:
        """A value that the old document implies, at the place that implies it."""
        return Scalar(value, (like or self.old).place)

    def entries(self, *pairs: tuple[str, Node | None]) -> Entries:
        written = [(name, node) for name, node in pairs if node is not None]
        place = written[0][1].place if written else self.old.place
        return Entries(tuple((Scalar(name, node.place), node) for name, node in written), place)

    def some(self, *pairs: tuple[str, Node | None]) -> Entries | None:
        """A map of what is written; nothing where nothing is."""
        return self.entries(*pairs) if any(node is not None for _, node in pairs) else None

    def name(self) -> str:
        model = self.old.get("model")
        return scenario_name(str(model.value) if isinstance(model, Scalar) else "")

    def spec(self) -> Entries:
        framework, settings = self.framework()
        key = self.old.get("api_key_env")
        total = self.quantity("timeout", self.old.get("timeout"), "s")
        synthetic = self.some(
            ("input_tokens", self.old.get("input_len")), ("output_tokens", self.old.get("output_len"))
        )
        return self.entries(
            (
                "target",
                self.entries(
                    ("url", self.old.get("server_url")),
                    ("model", self.old.get("model")),
                    ("framework", framework),
                    ("framework_config", settings),
                    ("api_key", self.some(("env", key))),
                    ("timeout", self.some(("total", total))),
                ),
            ),
            (
                "workload",
                self.some(
                    ("prompts", self.some(("synthetic", synthetic))),
                    ("stream", self.old.get("stream")),
                ),
            ),
            (
                "load",
                self.some(
                    ("concurrency", self.concurrency()),
                    ("requests", self.old.get("num_prompts")),
                    ("warmup", self.some(("requests", self.old.get("warmup")))),
                ),
            ),
            ("slo", self.slo()),
            ("telemetry", self.telemetry()),
        )

    def concurrency(self) -> Node | None:
        node = self.old.get("concurrency")
        return Items((node,), node.place) if isinstance(node, Scalar) and isinstance(node.value, int) else node

    def quantity(self, path: str, node: Node | None, unit: str) -> Node | None:
        """A bare number with the unit it always had in the old shape."""
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and _REFERENCE.fullmatch(value):
            return Scalar(f"{value}{unit}", node.place)
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = f"Write a bare number here (v1alpha1 counts in {unit}), or use llmload/v1, where units are written"
            self.troubles.append(Trouble(node.place, path, f"expected a number of {unit}", hint))
            return None
        return Scalar(f"{format_number(value)}{unit}", node.place)

    def slo(self) -> Node | None:
        thresholds = self.old.get("goodput_thresholds")
        if thresholds is None or (isinstance(thresholds, Scalar) and thresholds.value is None):
            return None
        if not isinstance(thresholds, Entries):
            hint = "Write {ttft: 500, tpot: 50}, in milliseconds"
            self.troubles.append(Trouble(thresholds.place, "goodput_thresholds", "expected a map", hint))
            return None
        terms: list[tuple[str, Node | None]] = []
        for key, node in thresholds.pairs:
            path = f"goodput_thresholds.{key.value}"
            if key.value not in ("ttft", "tpot", "e2e"):
                hint = nearest(str(key.value), ("ttft", "tpot", "e2e"))
                self.troubles.append(Trouble(key.place, path, f"unknown key {key.value!r}", hint))
                continue
            terms.append((str(key.value), self.quantity(path, node, "ms")))
        return self.some(*terms)

    def telemetry(self) -> Node | None:
        """What the old tool held its figures against: the metrics page, and the log of a container."""
        written = self.old.get("validation_config")
        if written is None or (isinstance(written, Scalar) and written.value is None):
            return None
        if not isinstance(written, Entries):
            hint = "Write {enabled: true, container_name: vllm}"
            self.troubles.append(Trouble(written.place, "validation_config", "expected a map", hint))
            return None
        for key, _ in written.pairs:
            if key.value not in _VALIDATION:
                path, hint = f"validation_config.{key.value}", nearest(str(key.value), _VALIDATION)
                self.troubles.append(Trouble(key.place, path, f"unknown key {key.value!r}", hint))
        if not self.is_on(written, "enabled"):
            return self.entries(("server_metrics", self.made("none", written)))
        self.tell_tolerance(written.get("tolerance"))
        logs = self.some(("docker", self.container(written)))
        return self.entries(("server_metrics", self.made("auto", written)), ("server_logs", logs))

    def tell_tolerance(self, node: Node | None) -> None:
        if node is not None:
            line = f"line {node.place.line}"
            self.notices.append(
                f"{line}: validation_config.tolerance has no successor: tolerances are fixed; delete it."
            )

    def container(self, written: Entries) -> Node | None:
        """The container whose log is read. The old tool looked for one itself, which is not done here."""
        name = written.get("container_name")
        is_named = name is not None and not (isinstance(name, Scalar) and name.value is None)
        if not self.is_on(written, "docker_enabled"):
            if is_named and name is not None:
                line = f"line {name.place.line}"
                self.notices.append(f"{line}: container_name is ignored, since docker_enabled is false; delete it.")
            return None
        if not is_named:
            line = f"line {written.place.line}"
            self.notices.append(f"{line}: no container is looked for; write container_name to have its log read.")
        return name if is_named else None

    def is_on(self, written: Entries, key: str) -> bool:
        """Whether a switch of validation_config is on, as it is where nothing is written."""
        node = written.get(key)
        value = node.value if isinstance(node, Scalar) else None
        if node is not None and value is not None and not isinstance(value, bool):
            hint = "Write it without a variable"
            self.troubles.append(Trouble(node.place, f"validation_config.{key}", "expected true or false", hint))
        return value is not False

    def framework(self) -> tuple[Node | None, Node | None]:
        """The framework that the old keys mean, and its settings."""
        adapter, framework = self.old.get("adapter"), self.old.get("framework")
        vllm, settings = self.old.get("vllm_config"), self.old.get("framework_config")
        self.check_adapter(adapter)
        if framework is None:
            name = adapter.value if isinstance(adapter, Scalar) else None
            if vllm is not None and name == "triton" and settings is None:
                self.refuse_vllm_config(vllm, "adapter: triton", "triton")
            if name == "triton":
                framework = self.made("triton", adapter)
            elif vllm is not None and settings is None:
                framework = self.made("vllm", vllm)
            elif name == "openai":
                framework = adapter
        name = framework.value if isinstance(framework, Scalar) else None
        if vllm is None:
            return framework, _without_empty_quantization(settings)
        line = f"line {vllm.place.line}"
        if settings is not None:
            self.notices.append(f"{line}: vllm_config is ignored, since framework_config is written too; delete it.")
            return framework or self.made("vllm", vllm), _without_empty_quantization(settings)
        if name not in ("vllm", None):
            self.refuse_vllm_config(vllm, f"framework: {name}", str(name))
        self.notices.append(f"{line}: vllm_config is deprecated; write framework: vllm and framework_config.")
        return framework, _without_empty_quantization(vllm)

    def check_adapter(self, adapter: Node | None) -> None:
        value = adapter.value if isinstance(adapter, Scalar) else None
        if adapter is not None and value not in ("openai", "triton"):
            message = f"unknown adapter {value!r}" if value else "not the name of an adapter"
            self.troubles.append(Trouble(adapter.place, "adapter", message, "Use openai or triton"))

    def refuse_vllm_config(self, vllm: Node, beside: str, name: str) -> None:
        message = f"vllm_config beside {beside}"
        hint = f"Write the settings of {name} as framework_config"
        self.troubles.append(Trouble(vllm.place, "vllm_config", message, hint))


def _without_empty_quantization(settings: Node | None) -> Node | None:
    if not isinstance(settings, Entries):
        return settings
    return Entries(
        tuple(
            (key, Scalar("none", node.place) if _is_empty_quantization(key, node) else node)
            for key, node in settings.pairs
        ),
        settings.place,
    )


def _is_empty_quantization(key: Scalar, node: Node) -> bool:
    return key.value == "quantization" and isinstance(node, Scalar) and node.value == ""
