"use strict";
(() => {
  const live = document.getElementById("live");
  const bar = live.querySelector("[role=progressbar]");
  const done = bar.querySelector("rect");
  const connection = document.getElementById("connection");
  const voice = document.getElementById("spoken");

  const SPEAK_EVERY_MS = 10_000;
  const COME_BACK_MS = 5_000;
  let spokenAt = -Infinity;

  const show = (told) => {
    for (const [name, words] of Object.entries(told)) {
      const place = live.querySelector(`[data-told="${name}"]`);
      if (place && place.textContent !== words) place.textContent = words;
    }
    done.setAttribute("width", told.percent || "0");
    if (told.percent) bar.setAttribute("aria-valuenow", told.percent);
    else bar.removeAttribute("aria-valuenow");
  };

  // Figures that change four times a second are no news to be read out: a sentence every ten seconds is.
  const speak = (words) => {
    if (performance.now() - spokenAt < SPEAK_EVERY_MS) return;
    spokenAt = performance.now();
    voice.textContent = words;
  };

  const cell = (name, className, words) => {
    const made = document.createElement(name);
    if (name === "th") made.scope = "row";
    if (className) made.className = className;
    made.textContent = words;
    return made;
  };
  const row = ([label, ...figures]) => {
    const made = document.createElement("tr");
    made.append(cell("th", "", label), ...figures.map((each) => cell("td", "number", each)));
    return made;
  };
  const fill = (rows) => {
    const body = document.querySelector("#steps + .scroll tbody");
    if (!body) return rows.length > 0 && location.reload(); // steps that nobody knew of: the page has a table now
    body.replaceChildren(...rows.map(row));
  };
  const gpus = document.getElementById("gpus-now");
  const fillGpus = (rows) => {
    gpus.hidden = rows.length === 0;
    gpus.querySelector("tbody").replaceChildren(...rows.map(row));
  };

  const say = (words) => {
    connection.textContent = words;
    connection.hidden = !words;
  };

  const listen = () => {
    const source = new EventSource(new URL(live.dataset.events, location.href));
    const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
    source.addEventListener("open", () => say(""));
    on("progress", ({ told, spoken, gpus: rows }) => {
      show(told);
      fillGpus(rows);
      speak(spoken);
    });
    on("steps", ({ rows }) => fill(rows));
    on("finished", () => {
      source.close();
      say(live.dataset.ended);
      location.reload();
    });
    source.addEventListener("error", () => {
      say(live.dataset.lost);
      if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
      setTimeout(listen, COME_BACK_MS); // it was refused: there are too many readers, or none may read any more
    });
  };
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  listen();
})();
