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

  const library = document.getElementById("library");
  const isApart = library?.dataset.src !== undefined; // a file of its own, as on a site, or packed into this one
  if (!library || (!isApart && typeof DecompressionStream === "undefined")) return;

  // Base 85 of RFC 1924 with a comma for "<", a sixteenth shorter than base 64: five digits are four bytes.
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

  const decode = (text) => {
    const values = new Uint8Array(128);
    for (let place = 0; place < DIGITS.length; place++) values[DIGITS.charCodeAt(place)] = place;
    const groups = Math.ceil(text.length / 5);
    const digits = text.padEnd(5 * groups, "~");
    const view = new DataView(new ArrayBuffer(4 * groups));
    for (let group = 0; group < groups; group++) {
      let value = 0;
      for (let at = 5 * group; at < 5 * group + 5; at++) value = 85 * value + values[digits.charCodeAt(at)];
      view.setUint32(4 * group, value);
    }
    return new Uint8Array(view.buffer, 0, Math.floor((4 * text.length) / 5));
  };

  const unpack = async (id) => {
    const bytes = decode(document.getElementById(id).textContent.trim());
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  // The library is a script of this page: the content security policy knows its hash, and so no other text would run.
  const prepare = async () => {
    const script = document.createElement("script");
    if (!isApart) {
      script.textContent = await unpack("library");
      document.head.append(script);
      return JSON.parse(await unpack("specifications"));
    }
    await new Promise((loaded, failed) => {
      script.addEventListener("load", loaded);
      script.addEventListener("error", () => failed(new Error("the library of charts cannot be loaded")));
      script.src = library.dataset.src;
      document.head.append(script);
    });
    return JSON.parse(document.getElementById("specifications").textContent);
  };
  let prepared = null;

  const OPTIONS = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  // Views beside each other share what room there is; on a phone they stand below each other, and the names of steps
  // that stand within a view keep the room they need: that chart scrolls.
  const fit = (spec, room) => {
    const least = spec.vconcat ? 540 : 0;
    if (room < 480) {
      if (spec.hconcat) {
        const [first, ...others] = spec.hconcat.map((view) => view.layer[0].encoding);
        for (const each of others) each.y.axis = first.y.axis;
        spec.vconcat = spec.hconcat;
        delete spec.hconcat;
      }
      if (spec.concat) spec.columns = 1;
      for (const view of spec.vconcat ?? spec.concat ?? []) narrow(view);
    }
    const views = spec.hconcat ?? spec.vconcat ?? spec.concat ?? [];
    const beside = spec.hconcat ? views.length : spec.concat ? (spec.columns ?? views.length) : 1;
    const taken = spec.hconcat ? 74 + 26 * (beside - 1) : 78 * beside; // the first of a row alone has labels
    for (const view of views) if (view.width) view.width = Math.max(Math.floor((room - taken) / beside), least);
    return spec;
  };

  // A legend in one column, wherever a view says how many it has.
  const narrow = (view) => {
    for (const layer of view.layer ?? []) narrow(layer);
    for (const channel of Object.values(view.encoding ?? {})) if (channel.legend) channel.legend.columns = 1;
  };

  const draw = async (figure) => {
    prepared ??= prepare();
    const specs = await prepared;
    const plot = figure.querySelector(".plot");
    const told = specs[figure.id.replace(/^chart-/, "")];
    const isWhole = told.width === "container"; // then it is one view, which follows its room by itself
    const stage = document.createElement("div");
    stage.className = isWhole ? "stage whole" : told.vconcat ? "stage stacked" : "stage";
    plot.append(stage);
    try {
      const room = plot.clientWidth;
      const { finalize } = await vegaEmbed(stage, fit(structuredClone(told), room), OPTIONS);
      plot.replaceChildren(stage);
      if (figure.querySelector(".reset") && !("drawn" in figure.dataset)) operate(figure, plot);
      figure.dataset.drawn = "";
      if (!isWhole) follow(figure, room, finalize);
    } catch (error) {
      stage.remove(); // the picture stays
      console.error(error);
    }
  };

  // Several views do not follow their room: they are drawn anew for another one, once it has stopped to change.
  const follow = (figure, room, finalize) => {
    const plot = figure.querySelector(".plot");
    let later;
    const watch = new ResizeObserver(() => {
      clearTimeout(later);
      if (plot.clientWidth === room || !plot.clientWidth) return;
      later = setTimeout(() => {
        watch.disconnect();
        draw(figure).then(finalize);
      }, 150);
    });
    watch.observe(plot);
  };

  // What keys do is what a mouse would have done in the middle of the (first) plot, whatever kinds of scales it has.
  const operate = (figure, plot) => {
    const act = (Kind, name, across, told = {}) => {
      const ground =
        plot.querySelector(".role-scope > g > path.background") ?? plot.querySelector(".role-frame > g > path.background");
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
