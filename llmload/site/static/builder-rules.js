"use strict";
// Judges what was typed by the rules of the JSON Schema, and by those between fields. A fault is what the page says:
// its name and what is filled into it. Values with ${NAME} are judged by llmload, which knows the variables.
const scenarioRules = (() => {
  const WHOLE = /^-?(0|[1-9][0-9]*)$/;
  const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/;
  const UNITS = { ns: 1e-9, us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 };
  // what a pattern of the schema means in words; the schema has the pattern alone
  const MEANT = {
    "metadata.name": "name",
    "spec.target.api_key.env": "variable",
    "spec.target.url": "starts_http",
  };

  const isReference = (text) => text.includes("${");
  const compiled = new Map();
  const matches = (pattern, text) => {
    if (!compiled.has(pattern)) compiled.set(pattern, new RegExp(pattern, "u"));
    return compiled.get(pattern).test(text);
  };

  const bounded = (rule, value, read) => {
    const past = (bound, isPast) => bound !== undefined && isPast(read(value), read(String(bound)));
    if (past(rule.minimum, (one, other) => one < other)) return ["minimum", { bound: rule.minimum }];
    if (past(rule.exclusiveMinimum, (one, other) => one <= other)) return ["above", { bound: rule.exclusiveMinimum }];
    if (past(rule.maximum, (one, other) => one > other)) return ["maximum", { bound: rule.maximum }];
    return null;
  };

  const percent = (rule, text) => {
    const share = parseFloat(text);
    if (share < rule.percent_minimum) return ["minimum", { bound: `${rule.percent_minimum}%` }];
    if (share <= rule.percent_above) return ["above", { bound: `${rule.percent_above}%` }];
    if (share > rule.percent_maximum) return ["maximum", { bound: `${rule.percent_maximum}%` }];
    return share >= rule.percent_below ? ["below", { bound: `${rule.percent_below}%` }] : null;
  };

  const worded = (rule, text, path) => {
    if (rule.maxLength !== undefined && [...text].length > rule.maxLength) return ["longest", { bound: rule.maxLength }];
    if (rule.pattern !== undefined && !matches(rule.pattern, text)) {
      if (MEANT[path]) return [MEANT[path], {}];
      if (rule.examples) return ["like", { examples: rule.examples.join(", ") }];
      return [rule.minLength ? "one_line" : "pattern", { pattern: rule.pattern }];
    }
    for (const [pattern, say] of Object.entries(rule.refused ?? {})) if (matches(pattern, text)) return [say, {}];
    return percent(rule, text);
  };

  const listed = (rule, text, path) => {
    const items = itemsOf(text);
    if (items.length < (rule.minItems ?? 0)) return ["too_few", { bound: rule.minItems }];
    if (items.length > (rule.maxItems ?? Infinity)) return ["too_many", { bound: rule.maxItems }];
    for (const each of items) {
      const found = one({ ...rule.items, refused: rule.refused }, each, path);
      if (found) return found;
    }
    const isRange = rule.maxItems === 2;
    if (isRange) return Number(items[0]) > Number(items[1]) ? ["backwards", {}] : null;
    const known = items.map((each) => level(each));
    const again = items.find((_, place) => known.indexOf(known[place]) !== place);
    return again === undefined ? null : ["twice", { value: again }];
  };

  const one = (rule, text, path) => {
    if (isReference(text) || rule.words?.includes(text)) return null;
    if (rule.type === "array") return listed(rule, text, path);
    if (rule.type === "integer") return WHOLE.test(text) ? bounded(rule, text, BigInt) : ["whole", {}];
    if (rule.type === "number") return NUMBER.test(text) ? bounded(rule, text, Number) : ["number", {}];
    return worded(rule, text, path);
  };

  const itemsOf = (text) => text.split(/[,;]/).map((each) => each.trim()).filter((each) => each !== "");

  // Seconds of a duration, null for none.
  const seconds = (text) => {
    const parts = [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)/g)];
    return parts.length ? parts.reduce((sum, [, figure, unit]) => sum + Number(figure) * UNITS[unit], 0) : null;
  };
  // A level of the load: a number in flight, or requests per second.
  const level = (text) => {
    const per = /\/([smh])$/.exec(text.trim());
    return parseFloat(text) / (per ? UNITS[per[1]] : 1);
  };

  // One gate of the rows; null where nothing is wrong.
  const gate = (row, words, load) => {
    const kind = words.subjects[row.subject];
    if (!row.value) return ["required", {}];
    const isChange = row.op === "within";
    if (isReference(row.value)) return null;
    const pattern = isChange ? words.patterns.share : words.patterns[kind];
    const example = isChange ? "5%" : { share: "95%", latency: "800ms", rate: row.subject === "rps" ? "5/s" : "1200 tok/s" }[kind];
    if (!matches(pattern, row.value)) return ["like", { examples: example }];
    if (kind === "share" && !isChange && parseFloat(row.value) > 100) return ["maximum", { bound: "100%" }];
    if (isChange && words.fall_when_worse.includes(row.subject) && parseFloat(row.value) >= 100) return ["all_worse", {}];
    if (!isChange && row.subject === "rps" && row.value.includes("tok")) return ["counts_requests", {}];
    if (!isChange && kind === "rate" && row.subject !== "rps" && row.value.includes("req")) return ["counts_tokens", {}];
    if (!row.at) return dataless(row.subject, load);
    if (!/^[0-9]+(\.[0-9]+)?(\/[smh])?$/.test(row.step) || (load.axis !== "rate" && row.step.includes("/"))) {
      return ["like", { examples: load.axis === "rate" ? "2/s" : "50" }];
    }
    const at = level(row.step);
    const isMet = (each) => (row.at === "==" ? each === at : row.at === "<=" ? each <= at : each >= at);
    if (load.levels.length && !load.levels.some((each) => isMet(level(each)))) {
      return ["no_step", { steps: load.levels.join(", ") }];
    }
    return dataless(row.subject, load);
  };

  // Whether a figure can never be measured: nothing is streamed, or there is no second token.
  const dataless = (metric, load) => {
    if (["ttft", "ttfo", "tpot", "itl_max"].includes(metric) && !load.isStreamed) return ["not_streamed", {}];
    return ["tpot", "itl_max"].includes(metric) && load.longest === 1 ? ["one_token", {}] : null;
  };

  // Rules between fields: pairs of a path and its fault.
  const between = (load) => {
    const found = [];
    const longest = seconds(load.maxDuration);
    if (load.duration && seconds(load.duration) > longest) found.push(["spec.load.duration", ["duration_longer", {}]]);
    const requests = load.requests || !load.duration ? Number(load.requests || load.defaultRequests) : null;
    if (requests !== null && load.maxRequests && Number(load.maxRequests) < requests) {
      found.push(["spec.decision.max_requests", ["too_small_sample", { requests }]]);
    }
    if (requests !== null && load.axis === "rate") {
      const slow = load.levels.find((each) => requests / level(each) > longest);
      if (slow !== undefined) found.push(["spec.load.rate", ["too_slow", { requests, rate: slow, limit: load.maxDuration }]]);
    }
    for (const term of ["ttft", "tpot"]) {
      const reason = load.slo[term] ? dataless(term, load) : null;
      if (reason) found.push([`spec.slo.${term}`, reason]);
    }
    if (load.advice) found.push(...capacity(load));
    return found;
  };

  // What a wish for capacity needs of the rest. Without an SLO it is held to TTFT and TPOT.
  const capacity = (load) => {
    const found = [];
    const peak = "spec.recommend.peak_concurrency";
    if (load.axis !== "concurrency") found.push([peak, ["closed_loop", {}]]);
    else if (!Object.values(load.slo).some(Boolean) && dataless("tpot", load)) found.push([peak, ["slo_without_tokens", {}]]);
    const group = load.advice.sizes.filter((each) => WHOLE.test(each)).reduce((all, each) => all * Number(each), 1);
    if (group > 1 && Number(load.advice.gpus) % group) found.push(["spec.recommend.gpu.count", ["whole_replicas", { group }]]);
    return found;
  };

  // One price of the rows: its part and the fault, null where nothing is wrong; `seen` has the names before it.
  const price = (row, rule, seen) => {
    if (row.gpu === "") return row.usd === "" ? null : ["gpu", ["price_name", {}]];
    if (seen.has(row.gpu.toLowerCase())) return ["gpu", ["price_twice", {}]];
    const fault = row.usd === "" ? ["required", {}] : one(rule, row.usd, "");
    return fault ? ["usd", fault] : null;
  };

  return { WHOLE, NUMBER, between, gate, isReference, itemsOf, one, price };
})();
