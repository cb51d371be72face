"use strict";
// The form of a new scenario. Everything happens here, in the browser: nothing that is typed is sent anywhere.
(() => {
  const form = document.getElementById("builder");
  const told = JSON.parse(document.getElementById("form").textContent);
  const { Bare } = scenarioYaml;
  const KEPT = "llmload-new-scenario";
  const ALWAYS = ["metadata.name", "spec.target.framework", "spec.target.simulator.profile"];
  const element = (id) => document.getElementById(id);
  const all = (selector, within = form) => [...within.querySelectorAll(selector)];
  const say = (name, filled = {}) => told.says[name].replace(/\{(\w+)\}/g, (whole, key) => filled[key] ?? whole);
  const announce = (text) => {
    element("announced").textContent = text;
  };
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
    if (raw === "") return undefined;
    const usual = Array.isArray(field.default) ? field.default.join() : String(field.default);
    const given = field.kind === "list" ? scenarioRules.itemsOf(raw).join() : raw;
    const isDeclared = path.startsWith("spec.target.framework_config.");
    if (given === usual && !isDeclared && !ALWAYS.includes(path)) return undefined;
    return typed(field, raw);
  };

  const rowsOf = (kind) => all(`#${kind} > li`);
  const part = (row, name) => row.querySelector(`[data-part="${name}"]`);
  const gateOf = (row) => Object.fromEntries(all("[data-part]", row).map((each) => [each.dataset.part, each.value.trim()]));
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

  const document_ = () => {
    const root = new Map([["apiVersion", "llmload/v1"], ["kind", "Scenario"], ["metadata", new Map()], ["spec", new Map()]]);
    for (const control of controls()) {
      const value = valueOf(control);
      if (value !== undefined) scenarioYaml.put(root, control.dataset.path.split("."), value);
    }
    const labels = rowsOf("labels").map((row) => [part(row, "key").value, part(row, "value").value]).filter(([key]) => key);
    if (labels.length) root.get("metadata").set("labels", new Map(labels));
    const gates = rowsOf("gates").map(gateOf).filter((each) => each.value !== "");
    if (gates.length) root.get("spec").set("gates", gates.map(gateValue));
    const order = ["target", "workload", "load", "slo", "gates", "decision", "reports", "recommend"];
    const spec = root.get("spec");
    root.set("spec", new Map(order.filter((key) => spec.has(key)).map((key) => [key, spec.get(key)])));
    return root;
  };

  const written = () => {
    const root = document_();
    const verbs = { Check: "validate", Rehearse: "plan", Run: "apply" };
    const head = Object.entries(verbs).map(([does, verb]) => `${does}: llmload ${verb} ${name()}.yaml`).join("   ");
    const told_ = (path) => told.comments[path];
    const left = told.unbuilt.map((path) => path.split(".").at(-1)).filter((key) => root.get("spec").has(key));
    const waiting = new Map(left.map((key) => [key, root.get("spec").get(key)]));
    for (const key of left) root.get("spec").delete(key);
    const lines = [`# ${head}`, ...scenarioYaml.lines(root, told_)];
    lines.push(...scenarioYaml.lines(waiting, (path) => told_(`spec.${path}`)).map((line) => `  # ${line}`));
    return `${lines.join("\n")}\n`;
  };

  const write = () => {
    for (const row of rowsOf("gates")) {
      const gate = gateOf(row);
      part(row, "stat").closest(".part").hidden = !isLatency(gate.subject);
      part(row, "step").closest(".part").hidden = gate.at === "";
      row.querySelector(".line").textContent = gate.value ? lineOf(gate) : "";
    }
    element("yaml").textContent = written();
    element("file").textContent = `${name()}.yaml`;
  };

  // ---------------------------------------------------------------- judging

  const loadNow = () => {
    const axis = switched("load");
    const rule = told.fields[`spec.load.${axis}`];
    const levels = scenarioRules.itemsOf(rawOf(`spec.load.${axis}`) || (rule.default ?? []).join(","));
    const lengths = "spec.workload.prompts.synthetic.output_tokens";
    const [low, high] = scenarioRules.itemsOf(rawOf(`${lengths}.uniform`));
    return {
      axis,
      levels: levels.some(scenarioRules.isReference) ? [] : levels,
      requests: rawOf("spec.load.requests"),
      defaultRequests: told.fields["spec.load.requests"].default,
      duration: rawOf("spec.load.duration"),
      maxDuration: rawOf("spec.load.max_duration") || told.fields["spec.load.max_duration"].default,
      maxRequests: rawOf("spec.decision.max_requests"),
      isStreamed: element("f-spec-workload-stream").checked,
      longest: Number(high ?? low ?? rawOf(lengths) ?? 0),
      slo: { ttft: rawOf("spec.slo.ttft"), tpot: rawOf("spec.slo.tpot") },
    };
  };

  const judged = (control) => {
    const { path } = control.dataset;
    const field = fieldAt(path);
    if (["flag", "choice", "several"].includes(field.kind)) return null;
    const raw = control.value.trim();
    if (raw !== "") return scenarioRules.one(field.rule, raw, path);
    const isNeeded = control.dataset.neededBy ? rawOf(control.dataset.neededBy) !== "" : control.required;
    return isNeeded ? ["required", {}] : null;
  };

  // Every fault of the page: the control, and what is said beside it.
  const faults = () => {
    const found = new Map();
    const load = loadNow();
    for (const control of controls()) {
      const fault = judged(control);
      if (fault) found.set(control, fault);
    }
    for (const [path, fault] of scenarioRules.between(load)) {
      const control = controls().find((each) => each.dataset.path === path);
      if (control && !found.has(control)) found.set(control, fault);
    }
    const seen = new Set();
    for (const row of rowsOf("gates")) {
      const gate = gateOf(row);
      const fault = scenarioRules.gate(gate, told.gates, load) ?? (seen.has(lineOf(gate)) ? ["gate_twice", {}] : null);
      seen.add(lineOf(gate));
      const isStep = ["no_step"].includes(fault?.[0]) || (gate.at && fault?.[0] === "like" && gate.step === "");
      if (fault) found.set(part(row, isStep ? "step" : "value"), fault);
    }
    const keys = new Set();
    for (const row of rowsOf("labels")) {
      const [key, value] = [part(row, "key"), part(row, "value").value];
      if (key.value === "" && value !== "") found.set(key, ["label_name", {}]);
      else if (key.value !== "" && keys.has(key.value)) found.set(key, ["label_twice", {}]);
      keys.add(key.value);
    }
    return found;
  };

  const place = (control) => element(`${control.id}-fault`);
  const labelOf = (control) => (control.labels?.[0]?.firstChild?.textContent ?? control.getAttribute("aria-label") ?? "").trim();

  // Nobody is told of a field that is empty before they were in it, or wanted to take the YAML away.
  const touched = new WeakSet();
  let isTried = false;
  const isTold = ([control, [reason]]) => isTried || reason !== "required" || touched.has(control);

  const judge = () => {
    const every = faults();
    const found = new Map([...every].filter(isTold));
    for (const each of all("[aria-invalid]")) {
      if (found.has(each)) continue;
      each.removeAttribute("aria-invalid");
      place(each).hidden = true;
      place(each).textContent = "";
    }
    for (const [control, fault] of found) {
      control.setAttribute("aria-invalid", "true");
      place(control).hidden = false;
      place(control).textContent = say(...fault);
      control.closest("details")?.setAttribute("open", "");
    }
    tellFaults(found);
    element("valid").hidden = every.size > 0;
    element("open").hidden = found.size > 0 || every.size === 0;
    element("open").textContent = say("open", { count: every.size });
    return found;
  };

  const tellFaults = (found) => {
    element("summary").hidden = found.size === 0;
    element("count").textContent = say("faults", { count: found.size });
    const links = [...found].map(([control, fault]) => {
      const link = document.createElement("a");
      link.href = `#${control.id}`;
      link.textContent = `${labelOf(control)}: ${say(...fault)}`;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        control.focus();
      });
      const entry = document.createElement("li");
      entry.append(link);
      return entry;
    });
    element("found").replaceChildren(...links);
  };

  // ---------------------------------------------------------------- panels and rows

  const showPanels = () => {
    for (const panel of all("[data-panel]")) {
      const [name_, value] = panel.dataset.panel.split(":");
      panel.hidden = switched(name_) !== value;
    }
    element("for-vllm").hidden = framework() !== "vllm";
    element("for-others").hidden = framework() === "vllm";
  };

  let rows = 0;
  const addRow = (kind, values = {}) => {
    rows += 1;
    const row = element(`${kind}-row`).content.firstElementChild.cloneNode(true);
    for (const each of [row, ...all("[id], [for], [aria-describedby]", row)]) {
      for (const attribute of ["id", "for", "aria-describedby"]) {
        if (each.hasAttribute(attribute)) each.setAttribute(attribute, `${each.getAttribute(attribute)}-${rows}`);
      }
    }
    // a fault stands below the row, and is found by the control's id
    for (const each of all("[data-part]", row)) {
      const fault = row.querySelector(`[data-fault="${each.dataset.part}"]`);
      if (fault) fault.id = `${each.id}-fault`;
      if (fault) each.setAttribute("aria-describedby", fault.id);
      if (values[each.dataset.part] !== undefined) each.value = values[each.dataset.part];
    }
    row.querySelector(".remove").addEventListener("click", () => removeRow(kind, row));
    element(kind).append(row);
    return row;
  };

  const removeRow = (kind, row) => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector(".remove") ?? element(`add-${kind}`)).focus();
    announce(say(kind === "gates" ? "gate_removed" : "label_removed"));
    changed();
  };

  for (const kind of ["gates", "labels"]) {
    element(`add-${kind}`).addEventListener("click", () => {
      const row = addRow(kind);
      row.querySelector("select, input").focus();
      announce(say(kind === "gates" ? "gate_added" : "label_added"));
      changed();
    });
  }

  // ---------------------------------------------------------------- beginning, keeping, coming back

  const shown = (value) => (Array.isArray(value) ? value.join(", ") : String(value));
  const controlAt = (path) => all(`[data-path="${path}"]`).find((each) => !each.closest("[data-panel^='framework:'][hidden]"));

  const fill = (values) => {
    for (const [path, value] of Object.entries(values)) {
      const control = controlAt(path);
      if (control && path !== "spec.target.framework") control.value = shown(value);
    }
  };

  let before = null;
  const begin = () => {
    form.reset();
    isTried = false;
    element("gates").replaceChildren();
    element("labels").replaceChildren();
    before = framework();
    showPanels();
    fill(told.starters[before]);
    for (const gate of told.starters[before]["spec.gates"]) addRow("gates", gate);
  };

  // What the last framework's starter said, and nobody changed, becomes what this one's says.
  const changeFramework = () => {
    const [old, now] = [told.starters[before], told.starters[framework()]];
    for (const [path, value] of Object.entries(now)) {
      const control = controlAt(path);
      if (control && typeof value === "string" && control.value === shown(old[path])) control.value = value;
    }
    before = framework();
    const panel = form.querySelector(`[data-panel="framework:${before}"]`);
    const count = all("[data-path]", panel).length;
    announce(say("panel", { name: form.querySelector(`[data-switch="framework"]`).selectedOptions[0].text, count }));
  };

  const isSecret = (control) => control.dataset.path === "spec.target.url" && control.value.includes("@");
  const keep = () => {
    const values = all("[id][data-path], [data-switch]").filter((each) => each.tagName !== "FIELDSET" && !isSecret(each));
    const state = {
      values: values.map((each) => [each.id, each.type === "checkbox" ? each.checked : each.value]),
      ticked: all("fieldset[data-path] input").map((each) => [each.id, each.checked]),
      gates: rowsOf("gates").map(gateOf),
      labels: rowsOf("labels").map((row) => ({ key: part(row, "key").value, value: part(row, "value").value })),
    };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(state));
    } catch {
      // storage may be denied: then a reload begins anew
    }
  };

  const comeBack = () => {
    try {
      const state = JSON.parse(sessionStorage.getItem(KEPT));
      if (state === null) return;
      for (const [id, value] of [...state.values, ...state.ticked]) {
        const control = element(id);
        if (control && form.contains(control)) control[typeof value === "boolean" ? "checked" : "value"] = value;
      }
      for (const kind of ["gates", "labels"]) {
        element(kind).replaceChildren();
        for (const each of state[kind]) addRow(kind, each);
      }
    } catch {
      begin(); // what was kept is of another version
    }
  };

  // ---------------------------------------------------------------- what people do

  let pause = 0;
  const changed = () => {
    clearTimeout(pause);
    write();
    keep();
    judge();
  };
  form.addEventListener("input", (event) => {
    if (event.target.dataset.switch) showPanels();
    write();
    clearTimeout(pause);
    pause = setTimeout(changed, 700);
  });
  form.addEventListener("change", (event) => {
    if (event.target.dataset.switch === "framework") changeFramework();
    changed();
  });
  form.addEventListener("focusout", (event) => {
    touched.add(event.target);
    judge();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  // All faults are told; true where there is none, and so something to take away.
  const isReady = () => {
    isTried = true;
    write();
    const found = judge();
    if (found.size === 0) return true;
    element("summary").focus();
    announce(say("look"));
    return false;
  };

  const copyOld = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  };

  element("copy").addEventListener("click", async () => {
    if (!isReady()) return;
    const text = element("yaml").textContent;
    let isCopied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      isCopied = copyOld(text); // no secure context, or no permission
    }
    element("copy").focus();
    announce(say(isCopied ? "copied" : "not_copied"));
  });

  element("download").addEventListener("click", () => {
    if (!isReady()) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([element("yaml").textContent], { type: "application/yaml" }));
    link.download = `${name()}.yaml`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    announce(say("saved", { file: link.download }));
  });

  element("restart").addEventListener("click", () => {
    begin();
    changed();
    announce(say("restarted"));
    element("f-metadata-name").focus();
  });

  element("starters").hidden = true;
  element("making").hidden = false;
  begin();
  comeBack();
  before = framework();
  showPanels();
  write();
  judge();
})();
