"use strict";
// Writes YAML that every reader of YAML 1.1 and 1.2 takes for the same values: what could be taken for anything but
// text is quoted, and what cannot be printed is escaped.
const scenarioYaml = (() => {
  const WORDS = /^(y|yes|n|no|on|off|true|false|null|nan|inf)$/i;
  const PLAIN = /^\p{L}[\p{L}0-9_.\/()<>=%+-]*( [\p{L}0-9_.\/()<>=%+-]+)*$/u;
  const QUANTITY = /^(([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+|[0-9]+(\.[0-9]+)?%|[0-9]+(\.[0-9]+)? ?(req|requests|tok|tokens)?\/[smh])$/;
  const ADDRESS = /^https?:\/\/[A-Za-z0-9.:\/_~-]*[A-Za-z0-9\/_~-]$/;
  const SHORT = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const UNPRINTABLE = /[\p{Cc}\p{Cs}\u00a0\u2028\u2029\ufeff\ufffe\uffff"\\]/gu;

  class Bare {
    // a number as it was typed: its digits are not for JavaScript to round
    constructor(text) {
      this.text = text;
    }
  }

  const escaped = (character) =>
    SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

  const text = (value) => {
    const isPlain = (PLAIN.test(value) && !WORDS.test(value)) || QUANTITY.test(value) || ADDRESS.test(value);
    return isPlain ? value : `"${value.replace(UNPRINTABLE, escaped)}"`;
  };

  const scalar = (value) => {
    if (value instanceof Bare) return value.text;
    return typeof value === "boolean" ? String(value) : text(value);
  };

  const isFlow = (list) => list.every((each) => each instanceof Bare || typeof each === "boolean");
  const isShort = (list) => isFlow(list) || list.every((each) => typeof each === "string" && each.length < 12);

  // Lines of a map. `told` finds the comment of a place by its keys, joined by full stops.
  const lines = (map, told, path = "") => {
    const written = [];
    for (const [key, value] of map) {
      const place = path ? `${path}.${key}` : key;
      const comment = told(place) ? `  # ${told(place)}` : "";
      const name = text(key);
      if (value instanceof Map) {
        written.push(`${name}:${comment}`, ...lines(value, told, place).map((line) => `  ${line}`));
      } else if (Array.isArray(value) && !isShort(value)) {
        written.push(`${name}:${comment}`, ...value.flatMap(item));
      } else {
        const shown = Array.isArray(value) ? `[${value.map(scalar).join(", ")}]` : scalar(value);
        written.push(`${name}: ${shown}${comment}`);
      }
    }
    return written;
  };

  const item = (value) => {
    const inner = value instanceof Map ? lines(value, () => "") : [scalar(value)];
    return inner.map((line, place) => (place === 0 ? `  - ${line}` : `    ${line}`));
  };

  // Puts a value into nested maps.
  const put = (map, keys, value) => {
    const [first, ...rest] = keys;
    if (rest.length === 0) {
      map.set(first, value);
      return;
    }
    if (!map.has(first)) map.set(first, new Map());
    put(map.get(first), rest, value);
  };

  return { Bare, lines, put, text };
})();
