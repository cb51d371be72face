"use strict";
(() => {
  const root = document.documentElement;

  // ---------------------------------------------------------------- theme

  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const theme = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const tell = () => button.setAttribute("aria-pressed", String(theme() === "dark"));
  const keep = (name) => {
    try {
      if (name === null) localStorage.removeItem("llmload-theme");
      else localStorage.setItem("llmload-theme", name);
    } catch {
      // then it holds until the page is left
    }
  };
  button.addEventListener("click", () => {
    const wanted = theme() === "dark" ? "light" : "dark";
    const isSystem = wanted === (system.matches ? "dark" : "light");
    if (isSystem) delete root.dataset.theme;
    else root.dataset.theme = wanted;
    keep(isSystem ? null : wanted);
    tell();
  });
  system.addEventListener("change", tell);
  button.hidden = false;
  tell();

  // ---------------------------------------------------------------- print

  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open]):not(.data)")) {
      each.open = true;
      opened.push(each);
    }
  });
  addEventListener("afterprint", () => {
    for (const each of opened.splice(0)) each.open = false;
  });

  // ---------------------------------------------------------------- charts

  const packed = document.getElementById("library");
  if (!packed || typeof DecompressionStream === "undefined") return;

  // The library is a script of this page: the content security policy knows its hash, and so no other text would run.
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent.trim()), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  };
  let library = null;

  const OPTIONS = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  const draw = async (figure) => {
    library ??= unpack();
    await library;
    const plot = figure.querySelector(".plot");
    const stage = document.createElement("div");
    stage.className = "stage";
    plot.append(stage);
    try {
      const spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
      if (plot.clientWidth < 480) spec.config.legend.columns = 1;
      const { view } = await vegaEmbed(stage, spec, OPTIONS);
      plot.replaceChildren(stage);
      operate(figure, view);
      figure.dataset.drawn = "";
    } catch (error) {
      stage.remove(); // the picture stays
      console.error(error);
    }
  };

  // The horizontal axis is bound to signals of the selection "zoom": an interval of values, null for all of them.
  const axes = (view) =>
    Object.keys(view.getState({ signals: (name) => /^zoom_(?!tuple|translate|zoom|modify)/.test(name), data: () => false }).signals)
      .map((signal) => ({ signal, scale: view.scale("x") }));

  const operate = (figure, view) => {
    const frame = figure.querySelector(".frame");
    const reset = figure.querySelector(".reset");
    const found = axes(view);
    if (!found.length) return;
    const show = (from, to) => {
      for (const { signal } of found) {
        const scale = view.scale("x");
        const [start, end] = scale.range();
        const at = (share) => scale.invert(start + share * (end - start));
        view.signal(signal, from === null ? null : [at(from), at(to)]);
      }
      view.runAsync();
    };
    const moves = {
      "+": () => show(0.1, 0.9),
      "=": () => show(0.1, 0.9),
      "-": () => show(-0.125, 1.125),
      ArrowLeft: () => show(-0.1, 0.9),
      ArrowRight: () => show(0.1, 1.1),
      0: () => show(null, null),
    };
    frame.addEventListener("keydown", (event) => {
      const move = event.ctrlKey || event.metaKey || event.altKey ? undefined : moves[event.key];
      if (!move) return;
      event.preventDefault();
      move();
    });
    reset.addEventListener("click", () => show(null, null));
    reset.hidden = false;
    figure.querySelector(".keys").hidden = false;
    aim(frame);
  };

  // Whoever scrolls past a chart wants to go on: the wheel zooms only after the pointer was moved over the chart.
  const aim = (frame) => {
    let isAimed = false;
    frame.addEventListener("pointermove", (event) => {
      isAimed ||= event.movementX !== 0 || event.movementY !== 0;
    });
    addEventListener("scroll", () => { isAimed = false; }, { passive: true });
    frame.addEventListener("wheel", (event) => { if (!isAimed) event.stopPropagation(); }, { capture: true, passive: true });
  };

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        near.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "800px" },
  );
  for (const figure of document.querySelectorAll("figure.chart")) near.observe(figure);
})();
