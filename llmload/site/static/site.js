"use strict";
(() => {
  // ---------------------------------------------------------------- how long ago

  const UNITS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  for (const time of document.querySelectorAll("td.when time")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) continue;
    const [unit, length] = UNITS.find(([, least]) => Math.abs(seconds) >= least) ?? ["second", 1];
    const told = document.createElement("span");
    told.className = "ago";
    told.textContent = words.format(Math.round(seconds / length), unit);
    time.append(told);
  }

  // ---------------------------------------------------------------- addresses without what was left empty

  for (const form of document.querySelectorAll("form[data-sparse]")) {
    form.addEventListener("formdata", ({ formData }) => {
      for (const [name, value] of [...formData]) if (!value) formData.delete(name);
    });
  }

  // ---------------------------------------------------------------- runs to compare: not too few, not too many

  const compare = document.getElementById("compare");
  const picks = [...document.querySelectorAll('input[form="compare"]')];
  if (compare && picks.length) {
    const button = compare.querySelector("button");
    const status = compare.querySelector("[role=status]");
    const [least, most] = [Number(compare.dataset.least), Number(compare.dataset.most)];
    const how = status.textContent;
    const tell = () => {
      const count = picks.filter((each) => each.checked).length;
      button.disabled = count < least || count > most;
      status.textContent = button.disabled ? (count === 1 ? compare.dataset.one : how) : compare.dataset.many.replace("{count}", count);
      for (const each of picks) each.disabled = !each.checked && count >= most;
    };
    for (const each of picks) each.addEventListener("change", tell);
    addEventListener("pageshow", tell); // a browser that goes back keeps what was picked
    tell();
  }
})();
