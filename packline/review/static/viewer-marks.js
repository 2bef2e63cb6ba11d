"use strict";
// What the checks point at, over a pane: outlines in the picture's own coordinates, so that they are sharp at any
// zoom; arrows and captions at the size of the screen, so that they can be read at any zoom.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEAD = 9, OUT = 9, GAP = 6, RIM = 4;

  const node = (name, attributes = {}) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const arrowPath = ([x1, y1], [x2, y2]) => {
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const ux = (x2 - x1) / length, uy = (y2 - y1) / length, head = Math.min(HEAD, length / 2);
    const wing = (side) => `${(x2 - head * (ux + side * 0.6 * uy)).toFixed(1)} ${(y2 - head * (uy - side * 0.6 * ux)).toFixed(1)}`;
    const tip = `${x2.toFixed(1)} ${y2.toFixed(1)}`;
    return `M${x1.toFixed(1)} ${y1.toFixed(1)}L${tip}M${wing(1)}L${tip}L${wing(-1)}`;
  };

  // Captions that wait until somebody looks at their layer: what is right, what its button says already, and what a
  // small pane has no room for.
  const ROOMY = 420;
  const quiet = ({ layer, shape }, width) =>
    shape.tone === "pass" || layer === "silhouette" || layer === "scene" || (layer === "print" && width < ROOMY);
  const apart = (a, b) => a[0] >= b[2] || a[2] <= b[0] || a[1] >= b[3] || a[3] <= b[1];

  class Marks {
    constructor(pane) {
      this.pane = pane;
      this.svg = node("svg", { class: "marks", "aria-hidden": "true", focusable: "false" });
      this.root = node("g");
      this.arrows = node("g");
      this.svg.append(this.root, this.arrows);
      this.chips = document.createElement("div");
      this.chips.className = "chips";
      this.chips.setAttribute("aria-hidden", "true");
      pane.append(this.svg, this.chips);
      this.drawn = [];
      this.names = [];
    }

    // layers: what `packline.review.evidence` made; the last lies on top
    show(layers) {
      this.drawn = [];
      const marks = [], arrows = [], chips = [];
      for (const layer of layers) {
        const layerSays = new Set();
        for (const shape of layer.shapes) {
          const group = node("g", { class: `mark ${shape.tone} ${layer.tone === "truth" ? layer.name : "found"}` });
          if (shape.heat) {
            const [left, top, right, bottom] = shape.spread;
            group.append(node("image", {
              href: shape.heat, x: left, y: top, width: right - left, height: bottom - top, preserveAspectRatio: "none",
            }));
          }
          if (shape.path)
            group.append(node("path", { class: "halo", d: shape.path }), node("path", { class: "line", d: shape.path }));
          marks.push(group);
          const own = shape.arrows.map((arrow) => {
            const pair = node("g", { class: `arrow ${arrow.role} ${shape.tone}` });
            pair.append(node("path", { class: "halo" }), node("path", { class: "line" }));
            arrows.push(pair);
            return { arrow, pair };
          });
          // the same words are said once, and a map beside boxes needs none
          const said = [shape.words, ...shape.lines].join("\n");
          const chip = (shape.heat && layer.shapes.length > 1) || layerSays.has(said) ? null : this.chip(shape);
          layerSays.add(said);
          if (chip) chips.push(chip);
          this.drawn.push({ layer: layer.name, shape, group, arrows: own, chip });
        }
      }
      this.root.replaceChildren(...marks);
      this.arrows.replaceChildren(...arrows);
      this.chips.replaceChildren(...chips);
      // measured once: a caption is as large at any zoom
      for (const one of this.drawn.filter((each) => each.chip)) {
        one.wide = one.chip.offsetWidth;
        one.high = one.chip.offsetHeight;
      }
    }

    chip(shape) {
      const chip = document.createElement("div");
      chip.className = `chip ${shape.tone}`;
      for (const pair of shape.swatches) {
        const both = document.createElement("span");
        both.className = "pair";
        for (const colour of [pair.expected, pair.seen]) {
          const swatch = document.createElement("i");
          swatch.style.background = colour;
          both.append(swatch);
        }
        chip.append(both);
      }
      for (const [index, words] of [shape.words, ...shape.lines].entries()) {
        const line = document.createElement(index ? "span" : "b");
        line.textContent = words;
        chip.append(line);
      }
      return chip;
    }

    // the layer that a person looks at stands out; null: all alike
    light(name) {
      for (const { layer, group, arrows, chip } of this.drawn) {
        for (const one of [group, ...(chip ? [chip] : []), ...arrows.map(({ pair }) => pair)]) {
          one.classList.toggle("lit", layer === name);
          one.classList.toggle("dim", name !== null && layer !== name);
        }
      }
    }

    place(view) {
      const [left, top] = view.toPane(0, 0);
      this.root.setAttribute("transform", `matrix(${view.scale} 0 0 ${view.scale} ${left} ${top})`);
      for (const { arrows } of this.drawn)
        for (const { arrow, pair } of arrows) {
          const shift = ([x, y]) => {
            const [px, py] = view.toPane(x, y);
            return [px + OUT * arrow.away[0], py + OUT * arrow.away[1]];
          };
          const path = arrowPath(shift(arrow.start), shift(arrow.end));
          for (const line of pair.children) line.setAttribute("d", path);
        }
      this.placeChips(view);
    }

    // note where the pane's own captions stand; to be called when they or the pane have changed
    measure() {
      const own = this.pane.getBoundingClientRect();
      this.names = [...this.pane.querySelectorAll(".pane-name:not([hidden])")].map((name) => {
        const box = name.getBoundingClientRect();
        return [box.left - own.left, box.top - own.top, box.right - own.left, box.bottom - own.top];
      });
    }

    // a caption stands beside its shape, over no other caption, over no other shape where there is room, and inside
    placeChips(view) {
      const { width, height } = view.pane;
      const taken = [...this.names];
      const boxes = new Map(this.drawn.filter(({ shape }) => shape.tone !== "pass" && !shape.heat).map(({ shape }) =>
        [shape, [...view.toPane(shape.box[0], shape.box[1]), ...view.toPane(shape.box[2], shape.box[3])]]));
      for (const one of this.drawn) if (one.chip) one.chip.classList.toggle("quiet", quiet(one, width));
      // what is looked at is placed first; then what is worst, which is drawn last
      const order = this.drawn.filter(({ chip }) => chip).reverse()
        .sort((one, other) => other.chip.classList.contains("lit") - one.chip.classList.contains("lit"));
      for (const { shape, chip, wide, high } of order) {
        if (chip.classList.contains("quiet") && !chip.classList.contains("lit")) continue;
        const [left, top] = view.toPane(shape.box[0], shape.box[1]);
        const [right, bottom] = view.toPane(shape.box[2], shape.box[3]);
        const room = GAP + (shape.arrows.length ? OUT + HEAD : 0);
        const across = Math.min(Math.max(left, RIM), width - wide - RIM);
        const down = Math.min(Math.max(top, RIM), height - high - RIM);
        const spots = right <= 0 || bottom <= 0 || left >= width || top >= height ? [] : [
          [across, top - high - room],
          [across, bottom + room],
          [right + room, down],
          [left - wide - room, down],
          [across, down],
          ...Array.from({ length: 8 }, (_, i) => [across, RIM + i * (high + 2)]),
        ].map(([x, y]) => [x, y, x + wide, y + high]).filter((box) =>
          box[0] >= RIM - 1 && box[1] >= RIM - 1 && box[2] <= width - RIM + 1 && box[3] <= height - RIM + 1
          && taken.every((other) => apart(box, other)));
        const clear = (box) => [...boxes].every(([other, area]) => other === shape || apart(box, area));
        const spot = spots.find(clear) || spots[0];
        chip.classList.toggle("away", !spot);
        if (!spot) continue;
        taken.push([spot[0], spot[1], spot[2] + 2, spot[3] + 2]);
        chip.style.transform = `translate(${Math.round(spot[0])}px, ${Math.round(spot[1])}px)`;
      }
    }
  }

  viewer.Marks = Marks;
})();
