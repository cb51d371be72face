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
      await vegaEmbed(stage, spec, OPTIONS);
      plot.replaceChildren(stage);
      operate(figure, stage);
      figure.dataset.drawn = "";
    } catch (error) {
      stage.remove(); // the picture stays
      console.error(error);
    }
  };

  // What keys do is what a mouse would have done in the middle of the (first) plot, whatever kinds of scales it has.
  const operate = (figure, stage) => {
    const ground = stage.querySelector(".role-scope > g > path.background, .role-frame > g > path.background");
    const act = (Kind, name, across, told = {}) => {
      const box = ground.getBoundingClientRect();
      const place = { clientX: box.x + box.width * (0.5 + across), clientY: box.y + box.height / 2 };
      ground.dispatchEvent(new Kind(name, { bubbles: true, cancelable: true, ...place, ...told }));
    };
    const zoom = (deltaY) => act(WheelEvent, "wheel", 0, { deltaY });
    const move = (across) => {
      act(PointerEvent, "pointerdown", 0);
      act(PointerEvent, "pointermove", across);
      act(PointerEvent, "pointerup", across);
    };
    const reset = () => act(MouseEvent, "dblclick", 0);
    const keys = {
      "+": () => zoom(-250),
      "=": () => zoom(-250),
      "-": () => zoom(250),
      ArrowLeft: () => move(0.1),
      ArrowRight: () => move(-0.1),
      0: reset,
    };
    const frame = figure.querySelector(".frame");
    frame.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    figure.querySelector(".reset").addEventListener("click", reset);
    for (const each of figure.querySelectorAll(".reset, .keys")) each.hidden = false;
    aim(frame);
  };

  // Whoever scrolls past a chart wants to go on: the wheel zooms only after the pointer was moved over the chart.
  const aim = (frame) => {
    let isAimed = false;
    frame.addEventListener("pointermove", (event) => {
      isAimed ||= event.movementX !== 0 || event.movementY !== 0;
    });
    addEventListener("scroll", () => { isAimed = false; }, { passive: true });
    frame.addEventListener("wheel", (event) => { if (event.isTrusted && !isAimed) event.stopPropagation(); }, { capture: true, passive: true });
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
