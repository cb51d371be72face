"use strict";
// The form of a new scenario. Everything happens here, in the browser: nothing that is typed is sent anywhere.
(() => {
  const { all, controls, element, fieldAt, form, framework, gateOf, isLatency, isShown } = scenarioValues;
  const { lineOf, name, part, priceOf, rawOf, rowsOf, switched, told, written } = scenarioValues;
  const KEPT = "llmload-new-scenario";
  const ONE = { gates: "gate", labels: "label", prices: "price" }; // rows, and what one of them is called
  const say = (name_, filled = {}) => told.says[name_].replace(/\{(\w+)\}/g, (whole, key) => filled[key] ?? whole);
  const announce = (text) => {
    element("announced").textContent = text;
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
      slo: Object.fromEntries(["ttft", "tpot", "e2e"].map((term) => [term, rawOf(`spec.slo.${term}`)])),
      advice: switched("advice") === "yes" ? adviceNow() : null,
    };
  };

  const adviceNow = () => ({
    gpus: rawOf("spec.recommend.gpu.count"),
    sizes: ["tensor", "pipeline"].map((each) => rawOf(`spec.target.framework_config.${each}_parallel_size`)),
  });

  const judged = (control) => {
    const { path } = control.dataset;
    const field = fieldAt(path);
    if (["flag", "choice", "several"].includes(field.kind)) return null;
    const raw = control.value.trim();
    if (raw !== "") return scenarioRules.one(field.rule, raw, path);
    return control.required ? ["required", {}] : null;
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
    const gpus = new Set();
    for (const row of rowsOf("prices").filter(isShown)) {
      const price = priceOf(row);
      const fault = scenarioRules.price(price, told.fields["spec.recommend.prices"].rule.values, gpus);
      if (fault) found.set(part(row, fault[0]), fault[1]);
      gpus.add(price.gpu.toLowerCase());
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
    announce(say(`${ONE[kind]}_removed`));
    changed();
  };

  for (const kind of Object.keys(ONE)) {
    element(`add-${kind}`).addEventListener("click", () => {
      const row = addRow(kind);
      row.querySelector("select, input").focus();
      announce(say(`${ONE[kind]}_added`));
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
    for (const kind of Object.keys(ONE)) element(kind).replaceChildren();
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
      prices: rowsOf("prices").map(priceOf),
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
      for (const kind of Object.keys(ONE)) {
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
  element("to-output").hidden = false;
  begin();
  comeBack();
  before = framework();
  showPanels();
  write();
  judge();
})();
