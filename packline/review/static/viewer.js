"use strict";
// The shot page: which candidate is shown and how, by buttons and by keys.
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const stage = $("stage");
  if (!stage) return;
  const data = JSON.parse($("shot-data").textContent);
  const NUDGE = 40;
  const MODES = ["side", "one", "swipe", "onion", "difference", "blink"];
  // what the slider means in each mode: name, least, most, step, at first, words
  const AMOUNTS = {
    swipe: { name: "Divider", least: 0, most: 100, step: 1, first: 50, words: (n) => `${n} %` },
    onion: { name: "Candidate", least: 0, most: 100, step: 1, first: 50, words: (n) => `${n} %` },
    difference: { name: "Strength", least: 1, most: 16, step: 1, first: 4, words: (n) => `× ${n}` },
    // no faster than three flashes a second (WCAG 2.3.1)
    blink: { name: "Every", least: 350, most: 2000, step: 50, first: 600, words: (n) => `${(n / 1000).toFixed(2)} s` },
  };

  const kept = (() => {
    try { return JSON.parse(localStorage.getItem("viewer") || "{}") || {}; } catch { return {}; }
  })();
  const state = {
    mode: MODES.includes(kept.mode) ? kept.mode : "side",
    compare: ["placed", "base", "edit"].includes(kept.compare) ? kept.compare : "placed",
    amounts: Object.fromEntries(Object.entries(AMOUNTS).map(([mode, one]) => {
      const was = kept.amounts && kept.amounts[mode];
      return [mode, was >= one.least && was <= one.most ? was : one.first];
    })),
    // what the next shot opens with: the whole picture or the product
    start: kept.start === "product" ? "product" : "whole",
    shown: data.shown,
    second: false,
    paused: matchMedia("(prefers-reduced-motion: reduce)").matches,
  };
  const keep = () => {
    const { mode, compare, amounts, start } = state;
    try { localStorage.setItem("viewer", JSON.stringify({ mode, compare, amounts, start })); } catch { /* private window */ }
  };

  const candidates = new Map(data.candidates.map((one) => [one.id, one]));
  const facts = new Map([[data.shown, data.first]]);
  const shown = () => candidates.get(state.shown);
  const fact = () => facts.get(state.shown) || { size: data.first.size, layers: [], silhouette: "" };
  const [width, height] = data.first.size;

  // panes --------------------------------------------------------------------------------------------------
  const pictures = new viewer.Pictures(width, height, () => draw());
  const view = new viewer.View(width, height);
  const panes = all(".pane", stage).map((element) => ({
    element,
    name: element.dataset.pane,
    canvas: element.querySelector("canvas"),
    pen: element.querySelector("canvas").getContext("2d", { alpha: false }),
    title: element.querySelector(".pane-name"),
    marks: new viewer.Marks(element),
  }));
  const main = panes.find((pane) => pane.name === "candidate");
  const divider = $("divider");
  const status = $("said");
  for (const image of all("img[data-full]", stage)) pictures.lend(image.dataset.full, image);

  const well = getComputedStyle(stage).getPropertyValue("--well").trim() || "#333";
  const painter = new viewer.Painter(view, pictures, well);
  const readout = new viewer.Readout(pictures);
  const evidence = new viewer.Evidence(panes, () => fact().layers, () => {
    $("evidence").setAttribute("aria-pressed", evidence.all);
    for (const button of all("[data-layer]")) {
      const layer = evidence.find(button.dataset.layer);
      button.hidden = !layer;
      if (layer) button.setAttribute("aria-pressed", evidence.isOn(layer, "candidate"));
    }
    draw();
  });
  const visible = () => panes.filter((pane) => !pane.element.hidden);

  // A picture by name, as something that can be painted in the candidate's pixels.
  function source(name) {
    const one = shown();
    const simple = (entry, title) => {
      const found = pictures.get(entry.full, entry.small);
      return {
        title,
        key: entry.full,
        full: found.full,
        gone: found.gone,
        paint: found.image ? (pen) => pen.drawImage(found.image, 0, 0, width, height) : null,
      };
    };
    if (name === "base") return simple(data.base, "Base photo");
    if (name === "reference") return simple(one.reference, "3D reference");
    if (name === "edit") return simple(one.edit, "Engine's raw edit");
    if (name === "placed") {
      const base = source("base"), reference = source("reference"), outline = fact().silhouette;
      const area = outline ? new Path2D(outline) : null;
      return {
        title: "3D reference in the base photo",
        key: `${base.key} ${reference.key} ${outline.length}`,
        full: base.full && reference.full,
        gone: base.gone || reference.gone,
        paint: base.paint && reference.paint ? (pen) => {
          if (!area) { reference.paint(pen); return; }
          base.paint(pen);
          pen.save();
          pen.clip(area, "evenodd");
          reference.paint(pen);
          pen.restore();
        } : null,
      };
    }
    const other = candidates.get(name) || one;
    return simple(other.picture, other.title);
  }

  const WORDS = {
    side: () => ["Base photo", "3D reference", shown().title],
    one: () => [shown().title],
    swipe: (other) => [other],
    onion: (other) => [`${shown().title} over ${lower(other)}`],
    difference: (other) => [`Difference of ${lower(shown().title)} and ${lower(other)}`],
    blink: (other) => [state.second ? other : shown().title],
  };
  const lower = (words) => (words.startsWith("3D") ? words : words[0].toLowerCase() + words.slice(1));

  // while pictures move, speed counts; what they look like counts once they rest
  const REST = 120;
  let moving = 0;
  function move() {
    clearTimeout(moving);
    moving = setTimeout(() => { moving = 0; draw(); }, REST);
    draw();
  }

  let waiting = 0;
  function draw() {
    if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; paint(); });
  }

  function paint() {
    const own = source(state.shown), other = state.mode === "side" || state.mode === "one" ? null : source(state.compare);
    const used = other ? [own, other] : [own];
    for (const pane of visible()) {
      let parts = [[own.paint, 1]];
      if (state.mode === "side" && pane !== main) {
        const one = source(pane.name);
        used.push(one);
        parts = [[one.paint, 1]];
      } else if (other) {
        parts = painter.mixed(state.mode, state.amounts[state.mode], own, other, state.second);
      }
      painter.pane(pane, parts, moving);
    }
    caption(WORDS[state.mode](other ? other.title : ""));
    for (const pane of visible()) pane.marks.place(view);
    if (!divider.hidden) {
      divider.style.transform = `translateX(${view.pane.width * state.amounts.swipe / 100}px)`;
      divider.setAttribute("aria-valuenow", state.amounts.swipe);
    }
    // a picture that does not come says so in words; its address may have expired since the page was opened
    const lost = used.find((one) => one.gone);
    $("gone").hidden = !lost;
    if (lost) $("gone").textContent = `${lost.title} cannot be loaded; load the page again.`;
    const percent = 100 * view.zoom;
    $("zoom").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
    const ready = !moving && used.every((one) => one.full || one.gone);
    Object.assign(stage.dataset, {
      mode: state.mode, compare: state.compare, candidate: state.shown, zoom: view.zoom, x: view.x, y: view.y,
      ready: ready ? "full" : "part", second: state.second, crisp: view.crisp,
    });
  }

  // what the panes are called; written when it changes, since readers of the screen and marks follow it
  let captioned = "";
  function caption(words) {
    const captions = [...words, state.mode, shown().title, view.pane.width, view.pane.height].join("\n");
    if (captions === captioned) return;
    captioned = captions;
    const swipe = state.mode === "swipe";
    divider.hidden = $("other-name").hidden = !swipe;
    $("other-name").textContent = shown().title;
    visible().forEach((pane, i) => {
      pane.title.textContent = words[i];
      const what = swipe ? `Left ${lower(words[i])}, right ${lower(shown().title)}` : words[i];
      pane.canvas.setAttribute("aria-label", `${what}; ${shown().words}`);
      pane.marks.measure();
    });
  }

  // state --------------------------------------------------------------------------------------------------
  function setMode(mode) {
    state.mode = mode;
    state.second = false;
    for (const pane of panes) pane.element.hidden = pane !== main && mode !== "side";
    for (const button of all("[data-mode-button]")) button.setAttribute("aria-pressed", button.dataset.modeButton === mode);
    const amount = AMOUNTS[mode];
    // the divider is its own slider
    $("amount-field").hidden = !amount || mode === "swipe";
    $("compare-field").hidden = !amount;
    if (amount) {
      $("amount-name").textContent = amount.name;
      Object.assign($("amount"), { min: amount.least, max: amount.most, step: amount.step, value: state.amounts[mode] });
      $("amount-said").textContent = amount.words(state.amounts[mode]);
    }
    $("pause").hidden = mode !== "blink";
    blink();
    keep();
    fill();
  }

  function setAmount(value) {
    const amount = AMOUNTS[state.mode];
    if (!amount) return;
    const least = Math.min(Math.max(value, amount.least), amount.most);
    state.amounts[state.mode] = least;
    $("amount").value = least;
    $("amount-said").textContent = amount.words(least);
    if (state.mode === "blink") blink();
    keep();
    draw();
  }

  function setCompare(name) {
    state.compare = name;
    $("compare").value = name;
    if (state.mode === "side" || state.mode === "one") setMode("swipe");
    keep();
    draw();
  }

  let blinking = 0;
  function blink() {
    clearInterval(blinking);
    $("pause").setAttribute("aria-pressed", state.paused);
    if (state.mode === "blink" && !state.paused)
      blinking = setInterval(() => { state.second = !state.second; draw(); }, state.amounts.blink);
  }

  // the panes' canvases follow their size on the screen, pixel for pixel
  function fill() {
    const ratio = devicePixelRatio || 1;
    const box = main.element.getBoundingClientRect();
    if (!box.width || !box.height) return;
    for (const { canvas } of visible()) {
      const wide = Math.round(box.width * ratio), high = Math.round(box.height * ratio);
      if (canvas.width !== wide) canvas.width = wide;
      if (canvas.height !== high) canvas.height = high;
    }
    view.resize(box.width, box.height, ratio);
    draw();
  }

  async function choose(id, focus = false) {
    if (!candidates.has(id) || id === state.shown) return;
    state.shown = id;
    for (const link of all("#strip a")) {
      const own = link.dataset.candidate === id;
      if (own) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
      if (own && focus) link.focus({ preventScroll: true });
      if (own) link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    for (const card of all("[data-card]")) card.hidden = card.dataset.card !== id;
    for (const field of all("input[name=candidate]")) field.value = id;
    for (const option of all("#compare option[data-candidate]")) option.hidden = option.disabled = option.value === id;
    if (state.compare === id) setCompare("placed");
    const address = new URL(location.href);
    address.searchParams.set("candidate", id);
    history.replaceState(null, "", address);
    const one = shown();
    status.textContent = `${one.title} of ${candidates.size}: ${one.words}`;
    document.dispatchEvent(new CustomEvent("candidate", { detail: { id } }));
    evidence.mark();
    if (facts.has(id)) return;
    await fetchFacts(id);
    if (state.shown === id) evidence.mark();
  }

  async function fetchFacts(id) {
    const query = new URLSearchParams({ catalog: data.catalog, key: data.key, candidate: id });
    try {
      const answer = await fetch(`/shot/layers?${query}`, { headers: { Accept: "application/json" } });
      if (answer.ok) facts.set(id, await answer.json());
      else status.textContent = (await answer.json()).sentence;
    } catch {
      status.textContent = "The desk did not answer; the evidence of this candidate is not shown.";
    }
  }

  function stepCandidate(by, focus = false) {
    const ids = [...candidates.keys()];
    const at = ids.indexOf(state.shown) + by;
    if (at >= 0 && at < ids.length) choose(ids[at], focus);
  }

  function readOut(pane, px, py) {
    const names = state.mode === "side" ? ["base", "reference", state.shown]
      : state.mode === "one" ? [state.shown] : [state.compare, state.shown];
    $("pixel").textContent = pane ? readout.words(...view.toPicture(px, py).map(Math.floor), names.map(source)) : "";
  }

  // wiring -------------------------------------------------------------------------------------------------
  viewer.gestures(stage, {
    zoom: (factor, pane, px, py) => { view.zoomAt(view.zoom * factor, px, py); move(); },
    pan: (dx, dy) => { view.panBy(dx, dy); move(); },
    pinch: (...how) => { view.pinch(...how); move(); },
    twice: (pane, px, py) => {
      if (view.zoom < 1) view.zoomAt(1, px, py); else view.fit();
      draw();
    },
    over: (pane, px, py) => readOut(pane, px, py),
  });

  // the divider is pulled by its handle, and moved by arrow keys while it has the focus
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus();
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = main.element.getBoundingClientRect();
    setAmount(Math.round(100 * (event.clientX - box.left) / box.width));
  });
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    const to = { Home: 0, End: 100 }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setAmount(to === undefined ? state.amounts.swipe + by : to);
  });

  const start = (what) => {
    state.start = what;
    const box = evidence.box("silhouette");
    if (what === "product" && box) view.fitBox(box); else view.fit();
    keep();
    draw();
  };
  const hundred = () => { view.zoomAt(1, view.pane.width / 2, view.pane.height / 2); draw(); };
  const actions = {
    in: () => { view.step(1); draw(); },
    out: () => { view.step(-1); draw(); },
    fit: () => start("whole"),
    hundred,
    product: () => start("product"),
  };
  for (const button of all("[data-mode-button]")) button.addEventListener("click", () => setMode(button.dataset.modeButton));
  for (const button of all("[data-zoom]")) button.addEventListener("click", () => actions[button.dataset.zoom]());
  // a slider that was pulled gives the keys back to the page
  $("amount").addEventListener("pointerup", () => stage.focus({ preventScroll: true }));
  $("amount").addEventListener("input", (event) => setAmount(Number(event.target.value)));
  $("compare").addEventListener("change", (event) => setCompare(event.target.value));
  $("pause").addEventListener("click", () => togglePause());
  $("evidence").addEventListener("click", () => evidence.toggleAll());
  for (const button of all("[data-layer]")) button.addEventListener("click", () => evidence.toggle(button.dataset.layer));
  for (const button of all("[data-locate]"))
    button.addEventListener("click", () => {
      const box = evidence.box(button.dataset.locate);
      if (box) { view.fitBox(box, 1.8); draw(); }
    });
  for (const row of all("[data-check]")) {
    const name = row.dataset.check;
    row.addEventListener("pointerenter", () => evidence.light(name));
    row.addEventListener("pointerleave", () => evidence.light(null));
    row.addEventListener("focusin", () => evidence.light(name));
    row.addEventListener("focusout", () => evidence.light(null));
  }
  for (const link of all("#strip a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose(link.dataset.candidate);
    });
  }

  // by hand: the first time it stops, then each time it shows the other picture
  function flip() {
    if (!state.paused) { togglePause(); return; }
    state.second = !state.second;
    draw();
  }

  function togglePause() {
    state.paused = !state.paused;
    blink();
  }

  // keys; arrows move the pictures, or go through the candidates while the strip has the focus
  const cycle = () => {
    const names = ["placed", "base", "edit"];
    setCompare(names[(names.indexOf(state.compare) + 1) % names.length]);
  };
  const nudge = (by) => {
    const amount = AMOUNTS[state.mode];
    if (amount) setAmount(state.amounts[state.mode] + by * Math.max(amount.step, (amount.most - amount.least) / 20 | 0));
  };
  const keys = {
    s: () => setMode("side"), c: () => setMode("one"), w: () => setMode("swipe"), o: () => setMode("onion"),
    d: () => setMode("difference"), b: () => (state.mode === "blink" ? togglePause() : setMode("blink")), x: cycle, e: () => evidence.toggleAll(),
    "[": () => stepCandidate(-1), "]": () => stepCandidate(1), ",": () => nudge(-1), ".": () => nudge(1),
    "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.fit, 1: hundred, 2: actions.product,
  };
  for (const [key, act] of Object.entries(keys)) desk.on(key, act);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const { target } = event;
    if (target.closest("#strip")) {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) { event.preventDefault(); stepCandidate(by, true); }
      return;
    }
    // these have arrows and space of their own
    if (target.closest(".panel, input, select, textarea, [role=slider]")) return;
    const by = event.shiftKey ? 4 * NUDGE : NUDGE;
    const way = { ArrowLeft: [by, 0], ArrowRight: [-by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key];
    if (way) {
      event.preventDefault();
      view.panBy(...way);
      move();
    } else if (event.key === " " && state.mode === "blink" && !target.closest("button, a")) {
      event.preventDefault();
      flip();
    }
  });

  new ResizeObserver(fill).observe(stage);
  // the window may move to a screen with other pixels
  const watch = () => matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => { fill(); watch(); }, { once: true });
  watch();
  stage.classList.add("alive");
  // the strip shows the product, not the room
  const product = evidence.box("silhouette");
  if (product) {
    const [left, top, right, bottom] = product;
    const side = Math.min(Math.max(right - left, bottom - top) * 1.25, width, height);
    const x = Math.min(Math.max((left + right - side) / 2, 0), width - side);
    const y = Math.min(Math.max((top + bottom - side) / 2, 0), height - side);
    for (const image of all("#strip img"))
      image.style.transform = `scale(${width / side}) translate(${-100 * x / width}%, ${-100 * y / height}%)`;
  }
  $("compare").value = state.compare;
  for (const option of all("#compare option[data-candidate]")) option.hidden = option.disabled = option.value === state.shown;
  setMode(state.mode);
  start(state.start);
  evidence.mark();

  // once the page rests: the neighbours' pictures, then the next shot's
  const rest = globalThis.requestIdleCallback || ((then) => setTimeout(then, 300));
  addEventListener("load", () => rest(() => {
    const ids = [...candidates.keys()], at = ids.indexOf(state.shown);
    for (const id of [ids[at + 1], ids[at - 1]]) {
      if (!id) continue;
      pictures.get(candidates.get(id).picture.full, candidates.get(id).picture.small);
      if (!facts.has(id)) fetchFacts(id);
    }
    const query = new URLSearchParams({ catalog: data.catalog, key: data.key });
    fetch(`/shot/ahead?${query}`, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : []))
      .then((addresses) => { for (const address of addresses) new Image().src = address; }, () => {});
  }));
})();
