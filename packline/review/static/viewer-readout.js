"use strict";
// What lies under the pointer, in numbers: the pixel's place, and its colour in each picture.
(() => {
  // pictures whose pixels are held ready
  const KEPT = 4;
  const hex = (pen, x, y) =>
    `#${[...pen.getImageData(x, y, 1, 1).data.slice(0, 3)].map((n) => n.toString(16).padStart(2, "0")).join("")}`;

  class Readout {
    constructor(pictures) {
      this.pictures = pictures;
      this.ready = new Map();
    }

    // sources: { key, full, paint } each
    words(x, y, sources) {
      const { width, height } = this.pictures;
      if (x < 0 || y < 0 || x >= width || y >= height) return "";
      const colours = sources.map((one) => (one.paint ? hex(this.pixels(one), x, y) : "–"));
      return `x ${x}  y ${y}   ${colours.join("  ")}`;
    }

    pixels(one) {
      const key = `${one.key} ${one.full}`;
      if (!this.ready.has(key)) {
        if (this.ready.size >= KEPT) this.ready.delete(this.ready.keys().next().value);
        this.ready.set(key, this.pictures.pixels(one.paint));
      }
      return this.ready.get(key);
    }
  }

  viewer.Readout = Readout;
})();
