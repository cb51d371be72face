"use strict";
// Reads what the form holds, and makes of it the text of a scenario file.
const scenarioValues = (() => {
  const form = document.getElementById("builder");
  const told = JSON.parse(document.getElementById("form").textContent);
  const { Bare } = scenarioYaml;
  const ALWAYS = ["metadata.name", "spec.target.framework", "spec.target.simulator.profile"];
  const element = (id) => document.getElementById(id);
  const all = (selector, within = form) => [...within.querySelectorAll(selector)];
  const isShown = (control) => control.closest("[hidden]") === null;

  // ---------------------------------------------------------------- reading

  const switched = (name) => form.querySelector(`[data-switch="${name}"]`).value;
  const framework = () => switched("framework");
  const fieldAt = (path) => told.fields[path] ?? told.settings[framework()][path];
  const controls = () => all("[data-path]").filter(isShown);
  const rawOf = (path) => controls().find((each) => each.dataset.path === path)?.value.trim() ?? "";

  const typed = (field, raw) => {
    if (scenarioRules.isReference(raw)) return raw;
    if (field.kind === "whole" && scenarioRules.WHOLE.test(raw)) return new Bare(raw);
    if (field.kind === "number" && scenarioRules.NUMBER.test(raw)) return new Bare(raw);
    if (field.kind === "choice" && field.rule.type === "boolean") return raw === "true";
    if (field.kind !== "list") return raw;
    const isWhole = field.rule.items.type === "integer";
    return scenarioRules.itemsOf(raw).map((each) => (isWhole && scenarioRules.WHOLE.test(each) ? new Bare(each) : each));
  };

  // What a control adds to the file; undefined where it says nothing but the default.
  const valueOf = (control) => {
    const { path } = control.dataset;
    const field = fieldAt(path);
    if (field.kind === "several") {
      const ticked = all("input:checked", control).map((each) => each.value);
      return ticked.join() === field.default.join() ? undefined : ticked;
    }
    if (field.kind === "flag") return control.checked === field.default ? undefined : control.checked;
    const isText = field.kind === "text" && !field.rule.pattern;
    const raw = isText ? control.value : control.value.trim();
    if (raw === "") return ALWAYS.includes(path) ? (field.default ?? undefined) : undefined;
    const usual = Array.isArray(field.default) ? field.default.join() : String(field.default);
    const given = field.kind === "list" ? scenarioRules.itemsOf(raw).join() : raw;
    const isDeclared = path.startsWith("spec.target.framework_config.");
    if (given === usual && !isDeclared && !ALWAYS.includes(path)) return undefined;
    return typed(field, raw);
  };

  const rowsOf = (kind) => all(`#${kind} > li`);
  const part = (row, name) => row.querySelector(`[data-part="${name}"]`);
  const gateOf = (row) => Object.fromEntries(all("[data-part]", row).map((each) => [each.dataset.part, each.value.trim()]));
  const priceOf = (row) => ({ gpu: part(row, "gpu").value.trim(), usd: part(row, "usd").value.trim() });
  const isLatency = (subject) => told.gates.subjects[subject] === "latency";
  const subjectOf = (gate) => (isLatency(gate.subject) ? `${gate.stat}(${gate.subject})` : gate.subject);

  const lineOf = (gate) => {
    const at = gate.at ? ` at ${switched("load")} ${gate.at === "==" ? "" : `${gate.at} `}${gate.step}` : "";
    const promise = gate.op === "within" ? `within ${gate.value} of baseline` : `${gate.op} ${gate.value}`;
    return `${subjectOf(gate)} ${promise}${at}`;
  };

  // The short form has no level, so a gate that only warns is written in the long one.
  const gateValue = (gate) => {
    if (gate.level !== "warn") return lineOf(gate);
    const map = new Map([["metric", gate.subject]]);
    if (isLatency(gate.subject)) map.set("stat", gate.stat);
    if (gate.op === "within") {
      const change = told.gates.fall_when_worse.includes(gate.subject) ? "max_decrease" : "max_increase";
      map.set("relative", new Map([[change, gate.value]]));
    } else map.set(gate.op === "<=" ? "max" : "min", gate.value);
    if (gate.at) map.set("at", new Map([[switched("load"), gate.at === "==" ? gate.step : `${gate.at} ${gate.step}`]]));
    return map.set("level", "warn");
  };

  // ---------------------------------------------------------------- writing

  const name = () => {
    const raw = element("f-metadata-name").value.trim();
    return scenarioRules.one(told.fields["metadata.name"].rule, raw, "") === null && raw ? raw : "scenario";
  };

  const rooted = () => {
    const root = new Map([["apiVersion", "llmload/v1"], ["kind", "Scenario"], ["metadata", new Map()], ["spec", new Map()]]);
    for (const control of controls()) {
      const value = valueOf(control);
      if (value !== undefined) scenarioYaml.put(root, control.dataset.path.split("."), value);
    }
    const labels = rowsOf("labels").map((row) => [part(row, "key").value, part(row, "value").value]).filter(([key]) => key);
    if (labels.length) root.get("metadata").set("labels", new Map(labels));
    const prices = rowsOf("prices").filter(isShown).map(priceOf).filter((each) => each.gpu && each.usd);
    const asMap = new Map(prices.map((each) => [each.gpu, scenarioRules.NUMBER.test(each.usd) ? new Bare(each.usd) : each.usd]));
    if (prices.length) scenarioYaml.put(root, ["spec", "recommend", "prices"], asMap);
    const gates = rowsOf("gates").map(gateOf).filter((each) => each.value !== "");
    if (gates.length) root.get("spec").set("gates", gates.map(gateValue));
    const order = ["target", "workload", "load", "slo", "gates", "decision", "recommend", "reports"];
    const spec = root.get("spec");
    root.set("spec", new Map(order.filter((key) => spec.has(key)).map((key) => [key, spec.get(key)])));
    return root;
  };

  const written = () => {
    const root = rooted();
    const verbs = { Check: "validate", Rehearse: "plan", Run: "apply" };
    const head = Object.entries(verbs).map(([does, verb]) => `# ${does}: llmload ${verb} ${name()}.yaml`);
    const lines = [...head, ...scenarioYaml.lines(root, (path) => told.comments[path])];
    return `${lines.join("\n")}\n`;
  };

  return { all, controls, element, fieldAt, form, framework, gateOf, isLatency, isShown, lineOf, name, part, priceOf, rawOf, rowsOf, switched, told, written };
})();
