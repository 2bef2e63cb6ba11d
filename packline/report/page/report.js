"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // filters ------------------------------------------------------------------------------------------------
  const form = byId("filters");
  const shots = all(".shot"), tiles = all(".shot-tile");

  function matches(element, wanted) {
    const data = element.dataset;
    return (!wanted.state || data.state === wanted.state)
      && (wanted.sku === null || data.sku === wanted.sku)
      && (!wanted.check || data.checks.split(" ").includes(wanted.check));
  }

  function filter() {
    const chosen = form.elements.sku.selectedOptions[0];
    const wanted = {
      state: form.elements.state.value,
      sku: "all" in chosen.dataset ? null : chosen.value,
      check: form.elements.check ? form.elements.check.value : "",
    };
    for (const element of [...shots, ...tiles]) element.hidden = !matches(element, wanted);
    const shown = shots.filter((shot) => !shot.hidden).length;
    byId("count").textContent = shown === shots.length ? "" : `${shown} of ${shots.length} shots`;
    byId("none").hidden = shown > 0;
    document.body.dataset.marks = form.elements.marks.value;
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("change", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    // a browser may restore a form's state when the page is opened again
    filter();
    new IntersectionObserver(
      ([entry]) => form.classList.toggle("stuck", entry.intersectionRatio < 1 && entry.boundingClientRect.top < 0),
      { threshold: [1], rootMargin: "-1px 0px 0px 0px" },
    ).observe(form);
  }

  // a check's line shows where the check points ------------------------------------------------------------
  for (const card of all(".candidate")) {
    const marks = all(":scope > .frame .mark", card);
    for (const line of all(".check", card)) {
      const own = marks.filter((mark) => mark.dataset.check === line.dataset.check);
      if (!own.length) continue;
      line.classList.add("points");
      line.tabIndex = 0;
      const look = (on) => () => {
        card.toggleAttribute("data-look", on);
        own.forEach((mark) => mark.classList.toggle("looked", on));
      };
      ["mouseenter", "focus"].forEach((name) => line.addEventListener(name, look(true)));
      ["mouseleave", "blur"].forEach((name) => line.addEventListener(name, look(false)));
    }
  }

  // lightbox -----------------------------------------------------------------------------------------------
  const box = byId("lightbox"), bench = byId("bench"), said = byId("said");
  const buttons = new Map(all("button[data-key]", box).map((button) => [button.dataset.key, button]));
  let current = null, shown = "", marksOn = true;

  for (const frame of all("main .frame[data-kind]")) {
    frame.classList.add("zoom");
    frame.tabIndex = 0;
    frame.setAttribute("role", "button");
    frame.setAttribute("aria-label", `Enlarge: ${frame.querySelector("img").alt}`);
    frame.addEventListener("click", () => open(frame));
    frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(frame); }
    });
  }
  byId("hint").hidden = !shots.length;

  // a candidate's insets are views of its own picture, so arrow keys pass them by
  const VIEW_OF = { asked: "r", raw: "e" };
  const frames = () => all(".shot:not([hidden]) .frame.zoom").filter((frame) => mainOf(frame) === frame);

  function mainOf(frame) {
    if (!(frame.dataset.kind in VIEW_OF)) return frame;
    return frame.closest(".candidate").querySelector(":scope > .frame.zoom") || frame;
  }

  // other pictures of the same place: the base photo for all, the rest for candidates
  function beside(key) {
    const card = current.closest(".candidate");
    const shot = current.closest(".shot");
    const picture = (id) => { const found = id && byId(id); return found && found.tagName === "IMG" ? found : null; };
    const inPlace = card || current.dataset.kind === "base";
    if (key === "b" || key === "d") return inPlace ? picture(shot.dataset.base) : null;
    if (!card) return null;
    return picture(key === "r" ? card.dataset.asked : card.dataset.raw);
  }

  function open(frame) {
    current = mainOf(frame);
    shown = current === frame ? "" : VIEW_OF[frame.dataset.kind];
    if (!box.open) { box.showModal(); document.documentElement.style.overflow = "hidden"; }
    draw();
  }

  function draw() {
    const own = current.querySelector("img");
    const other = shown ? beside(shown) : null;
    if (!other) shown = "";
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.style.setProperty("--ratio", own.naturalWidth / own.naturalHeight || 1);
    if (shown === "d") {
      frame.append(difference(own, other));
    } else {
      const image = new Image();
      image.src = (other || own).src;
      image.alt = (other || own).alt;
      frame.append(image);
      const source = other ? other.closest(".frame") : current;
      const marks = source && source.querySelector(".marks");
      if (marks && marksOn) frame.append(marks.cloneNode(true));
    }
    bench.replaceChildren(frame);
    const words = { b: "Base photo", r: "3D reference", e: "Raw edit", d: "Difference from the base photo, four times" };
    const title = current.closest(".shot").querySelector("h3").textContent;
    said.textContent = `${title}: ${shown ? words[shown] : current.dataset.caption}`;
    for (const key of "bred") {
      buttons.get(key).disabled = !beside(key);
      buttons.get(key).setAttribute("aria-pressed", String(shown === key));
    }
    buttons.get("m").setAttribute("aria-pressed", String(marksOn));
  }

  function difference(own, other) {
    const canvas = document.createElement("canvas");
    canvas.width = own.naturalWidth; canvas.height = own.naturalHeight;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Difference between the picture and the base photo; black where they agree");
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingQuality = "high";
    const read = (image) => {
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      return pen.getImageData(0, 0, canvas.width, canvas.height);
    };
    const a = read(own), b = read(other);
    for (let i = 0; i < a.data.length; i += 4)
      for (let c = i; c < i + 3; c++) a.data[c] = 4 * Math.abs(a.data[c] - b.data[c]);
    pen.putImageData(a, 0, 0);
    return canvas;
  }

  function step(by) {
    const list = frames();
    const next = list[list.indexOf(current) + by];
    if (!next) return;
    current = next;
    // the base photo is the same for every candidate; the other views are worth keeping while one goes through
    if (shown === "b") shown = "";
    draw();
  }

  function press(key) {
    if (key === "arrowright") step(1);
    else if (key === "arrowleft") step(-1);
    else if (key === "escape") box.close();
    else if (key === "m") { marksOn = !marksOn; draw(); }
    else if ("bred".includes(key) && key.length === 1 && beside(key)) { shown = shown === key ? "" : key; draw(); }
    else return false;
    return true;
  }

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== "escape" && press(key)) event.preventDefault();
  });
  buttons.forEach((button, key) => button.addEventListener("click", () => press(key)));
  bench.addEventListener("click", () => box.close());
  box.addEventListener("close", () => {
    document.documentElement.style.overflow = "";
    if (!current) return;
    current.scrollIntoView({ block: "nearest" });
    current.focus({ preventScroll: true });
  });
})();
