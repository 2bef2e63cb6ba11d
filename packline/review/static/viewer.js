"use strict";
// The shot page: which pictures are shown and how they are laid over each other, and which evidence is drawn.
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
    evidence: true,
    // layers that a person switched on or off; the others follow their verdict
    layers: new Map(),
    lit: null,
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

  let waiting = 0;
  function draw() {
    if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; paint(); });
  }

  function paint() {
    const own = source(state.shown), other = state.mode === "side" || state.mode === "one" ? null : source(state.compare);
    let full = own.full || own.gone;
    for (const pane of visible()) {
      let parts = [[own.paint, 1]];
      if (state.mode === "side" && pane !== main) {
        const one = source(pane.name);
        full = full && (one.full || one.gone);
        parts = [[one.paint, 1]];
      } else if (other) {
        full = full && (other.full || other.gone);
        parts = mixed(own, other);
      }
      paintPane(pane, parts);
    }
    const words = WORDS[state.mode](other ? other.title : "");
    visible().forEach((pane, i) => {
      pane.title.textContent = words[i];
      const what = state.mode === "swipe" ? `Left ${lower(words[i])}, right ${lower(shown().title)}` : words[i];
      pane.canvas.setAttribute("aria-label", `${what}; ${shown().words}`);
    });
    for (const pane of visible()) pane.marks.place(view);
    divider.hidden = $("other-name").hidden = state.mode !== "swipe";
    $("other-name").textContent = shown().title;
    if (!divider.hidden) {
      divider.style.transform = `translateX(${view.pane.width * state.amounts.swipe / 100}px)`;
      divider.setAttribute("aria-valuenow", state.amounts.swipe);
    }
    // a picture that does not come says so in words; its address may have expired since the page was opened
    const lost = [own, other].find((one) => one && one.gone);
    $("gone").hidden = !lost;
    if (lost) $("gone").textContent = `${lost.title} cannot be loaded; load the page again.`;
    const percent = 100 * view.zoom;
    $("zoom").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
    Object.assign(stage.dataset, {
      mode: state.mode, compare: state.compare, candidate: state.shown, zoom: view.zoom, x: view.x, y: view.y,
      ready: full ? "full" : "part", second: state.second, crisp: view.crisp,
    });
  }

  // What is painted in a pane that shows two pictures: [paint, opacity, clip from, clip to] each, in pane's shares.
  function mixed(own, other) {
    if (!own.paint || !other.paint) return [[own.paint || other.paint, 1]];
    const amount = state.amounts[state.mode];
    if (state.mode === "swipe") return [[other.paint, 1, 0, amount / 100], [own.paint, 1, amount / 100, 1]];
    if (state.mode === "onion") return [[other.paint, 1], [own.paint, amount / 100]];
    if (state.mode === "blink") return [[state.second ? other.paint : own.paint, 1]];
    const key = `${own.key} ${own.full} ${other.key} ${other.full}`;
    const made = pictures.difference(key, amount, own.paint, other.paint);
    return [[(pen) => pen.drawImage(made, 0, 0, width, height), 1]];
  }

  // Pixels as even squares at any zoom: drawn at a whole multiple without smoothing, then made smaller with it.
  const scratch = document.createElement("canvas");
  const EVEN = 8;
  function squares(what, canvas, [left, top]) {
    const times = Math.ceil(view.zoom);
    const x = Math.max(Math.floor(-left / view.zoom), 0), y = Math.max(Math.floor(-top / view.zoom), 0);
    const right = Math.min(Math.ceil((canvas.width - left) / view.zoom), width);
    const bottom = Math.min(Math.ceil((canvas.height - top) / view.zoom), height);
    if (right <= x || bottom <= y) return null;
    scratch.width = (right - x) * times;
    scratch.height = (bottom - y) * times;
    const pen = scratch.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.setTransform(times, 0, 0, times, -x * times, -y * times);
    what(pen);
    return [x, y, right - x, bottom - y];
  }

  function paintPane({ canvas, pen }, parts) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = well;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const corner = view.corner;
    const uneven = view.crisp && view.zoom < EVEN && Math.abs(view.zoom - Math.round(view.zoom)) > 1e-3;
    for (const [what, opacity, from = 0, to = 1] of parts) {
      if (!what) continue;
      pen.save();
      if (from > 0 || to < 1) {
        const start = Math.round(from * canvas.width);
        pen.beginPath();
        pen.rect(start, 0, Math.round(to * canvas.width) - start, canvas.height);
        pen.clip();
      }
      pen.imageSmoothingEnabled = uneven || !view.crisp;
      pen.imageSmoothingQuality = "high";
      pen.globalAlpha = opacity;
      pen.setTransform(view.zoom, 0, 0, view.zoom, ...corner);
      if (uneven) {
        const part = squares(what, canvas, corner);
        if (part) pen.drawImage(scratch, ...part);
      } else {
        what(pen);
      }
      pen.restore();
    }
  }

  // evidence -----------------------------------------------------------------------------------------------
  // which layers each pane can show: the base photo what changed in the scene, the reference what it says itself
  const CAN = {
    base: (layer) => layer.name === "scene" || layer.name === "scene_kept",
    reference: (layer) => layer.name === "print" || layer.name === "silhouette",
    candidate: () => true,
  };
  const isOn = (layer, pane) => {
    if (state.layers.has(layer.name)) return state.layers.get(layer.name);
    if (pane === "reference") return layer.name === "print";
    return layer.tone === "fail" || layer.tone === "doubt";
  };

  function mark() {
    const layers = fact().layers;
    for (const pane of panes) {
      const drawn = state.evidence
        ? layers.filter((layer) => CAN[pane.name](layer) && (isOn(layer, pane.name) || layer.name === state.lit))
        : layers.filter((layer) => CAN[pane.name](layer) && layer.name === state.lit);
      pane.marks.show(drawn);
      pane.marks.light(drawn.some((layer) => layer.name === state.lit) ? state.lit : null);
    }
    $("evidence").setAttribute("aria-pressed", state.evidence);
    for (const button of all("[data-layer]")) {
      const layer = layers.find((one) => one.name === button.dataset.layer);
      button.hidden = !layer;
      if (layer) button.setAttribute("aria-pressed", isOn(layer, "candidate"));
    }
    draw();
  }

  function toggleLayer(name) {
    const layer = fact().layers.find((one) => one.name === name);
    if (!layer) return;
    state.layers.set(name, !isOn(layer, "candidate"));
    // who switches one on wants to see it, and who switches it off does not, though the pointer is still there
    if (state.layers.get(name)) state.evidence = true;
    state.lit = state.layers.get(name) ? name : null;
    mark();
  }

  function light(name) {
    if (state.lit === name) return;
    state.lit = name;
    mark();
  }

  // zoom to what a check points at
  function locate(name) {
    const layer = fact().layers.find((one) => one.name === name);
    if (!layer) return;
    const boxes = layer.shapes.map((shape) => shape.box);
    const box = [0, 1].map((i) => Math.min(...boxes.map((one) => one[i])))
      .concat([2, 3].map((i) => Math.max(...boxes.map((one) => one[i]))));
    view.fitBox(box, 1.8);
    draw();
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
    mark();
    if (!facts.has(id)) await fetchFacts(id);
    if (state.shown === id) mark();
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

  // what lies under the pointer, in numbers
  const probes = new Map();
  function probe(one) {
    const key = `${one.key} ${one.full}`;
    if (!one.paint) return null;
    if (!probes.has(key)) {
      if (probes.size > 3) probes.delete(probes.keys().next().value);
      probes.set(key, pictures.pixels(one.paint));
    }
    return probes.get(key);
  }
  const hex = (pen, x, y) => `#${[...pen.getImageData(x, y, 1, 1).data.slice(0, 3)].map((n) => n.toString(16).padStart(2, "0")).join("")}`;

  function readOut(pane, px, py) {
    const line = $("pixel");
    if (!pane) { line.textContent = ""; return; }
    const [x, y] = view.toPicture(px, py).map(Math.floor);
    if (x < 0 || y < 0 || x >= width || y >= height) { line.textContent = ""; return; }
    const names = state.mode === "side" ? ["base", "reference", state.shown]
      : state.mode === "one" ? [state.shown] : [state.compare, state.shown];
    const said = names.map((name) => {
      const pen = probe(source(name));
      return pen ? hex(pen, x, y) : "–";
    });
    line.textContent = `x ${x}  y ${y}   ${said.join("  ")}`;
  }

  // wiring -------------------------------------------------------------------------------------------------
  viewer.gestures(stage, {
    zoom: (factor, pane, px, py) => { view.zoomAt(view.zoom * factor, px, py); draw(); },
    pan: (dx, dy) => { view.panBy(dx, dy); draw(); },
    pinch: (...how) => { view.pinch(...how); draw(); },
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
    const layer = fact().layers.find((one) => one.name === "silhouette");
    if (what === "product" && layer) view.fitBox(layer.shapes[0].box); else view.fit();
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
  const toggleEvidence = () => { state.evidence = !state.evidence; mark(); };
  $("evidence").addEventListener("click", toggleEvidence);
  for (const button of all("[data-layer]")) {
    button.addEventListener("click", () => toggleLayer(button.dataset.layer));
  }
  for (const button of all("[data-locate]")) button.addEventListener("click", () => locate(button.dataset.locate));
  for (const row of all("[data-check]")) {
    const name = row.dataset.check;
    row.addEventListener("pointerenter", () => light(name));
    row.addEventListener("pointerleave", () => light(null));
    row.addEventListener("focusin", () => light(name));
    row.addEventListener("focusout", () => light(null));
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
    d: () => setMode("difference"), b: () => (state.mode === "blink" ? togglePause() : setMode("blink")), x: cycle, e: toggleEvidence,
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
      draw();
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
  const silhouette = data.first.layers.find((layer) => layer.name === "silhouette");
  if (silhouette) {
    const [left, top, right, bottom] = silhouette.shapes[0].box;
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
  mark();

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
