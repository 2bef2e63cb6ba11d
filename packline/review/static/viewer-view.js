"use strict";
// Where the pictures stand in their panes: one zoom and one centre, shared by all panes.
// zoom counts screen pixels for a picture's pixel, so that 1 is 100 % on any screen; all else is in CSS pixels.
(() => {
  const LADDER = [1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
  const MOST = 32;
  const EDGE = 1e-6;

  class View {
    constructor(width, height) {
      this.width = width;
      this.height = height;
      this.ratio = 1;
      this.pane = { width: 1, height: 1 };
      this.zoom = 1;
      this.x = width / 2;
      this.y = height / 2;
      // "whole" or a box: what is kept in view when a pane changes its size; null after any zoom or pan by hand
      this.held = "whole";
      // where the last zoom held the pictures, and by which place
      this.anchor = null;
    }

    // CSS pixels for a picture's pixel
    get scale() { return this.zoom / this.ratio; }

    get whole() {
      const { width, height } = this.pane;
      return this.ratio * Math.min(width / this.width, height / this.height);
    }

    get least() { return Math.min(this.whole, 1); }

    // from 100 % on a pixel is a square with sharp edges
    get crisp() { return this.zoom >= 1 - EDGE; }

    resize(width, height, ratio) {
      this.anchor = null;
      this.pane = { width, height };
      this.ratio = ratio;
      if (this.held === "whole") this.fit();
      else if (this.held) this.fitBox(this.held);
      else this.settle();
    }

    fit() {
      this.zoom = this.whole;
      this.x = this.width / 2;
      this.y = this.height / 2;
      this.held = "whole";
      this.anchor = null;
    }

    fitBox(box, room = 1.15) {
      const [left, top, right, bottom] = box;
      const wide = Math.max(right - left, 8) * room, high = Math.max(bottom - top, 8) * room;
      const zoom = this.ratio * Math.min(this.pane.width / wide, this.pane.height / high);
      this.zoom = Math.min(Math.max(zoom, this.least), MOST);
      this.x = (left + right) / 2;
      this.y = (top + bottom) / 2;
      this.held = box;
      this.anchor = null;
      this.settle();
    }

    // the place that is seen under (px, py) stays there; the same one through many small steps, so that none drifts
    zoomAt(zoom, px, py) {
      if (!this.anchor || this.anchor.px !== px || this.anchor.py !== py)
        this.anchor = { px, py, place: this.toPicture(px, py) };
      const [x, y] = this.anchor.place;
      this.zoom = Math.min(Math.max(zoom, this.least), MOST);
      this.held = null;
      this.x = x - (px - this.pane.width / 2) / this.scale;
      this.y = y - (py - this.pane.height / 2) / this.scale;
      this.settle();
    }

    // two fingers that were about (fromX, fromY) are about (toX, toY) now, and further apart; they move in many small
    // steps, so this is reckoned without the rounding of what is shown
    pinch(factor, fromX, fromY, toX, toY) {
      const { width, height } = this.pane;
      const x = this.x + (fromX - width / 2) / this.scale, y = this.y + (fromY - height / 2) / this.scale;
      this.zoom = Math.min(Math.max(this.zoom * factor, this.least), MOST);
      this.x = x - (toX - width / 2) / this.scale;
      this.y = y - (toY - height / 2) / this.scale;
      this.held = this.anchor = null;
      this.settle();
    }

    step(by, px = this.pane.width / 2, py = this.pane.height / 2) {
      const next = by > 0
        ? LADDER.find((zoom) => zoom > this.zoom * 1.01)
        : LADDER.findLast((zoom) => zoom < this.zoom / 1.01);
      const zoom = next === undefined ? (by > 0 ? MOST : this.least) : next;
      if (zoom <= this.least && by < 0) this.fit();
      else this.zoomAt(zoom, px, py);
    }

    panBy(dx, dy) {
      if (this.zoom <= this.least + EDGE) return;
      this.x -= dx / this.scale;
      this.y -= dy / this.scale;
      this.held = null;
      this.anchor = null;
      this.settle();
    }

    settle() {
      if (this.zoom <= this.least + EDGE) {
        this.x = this.width / 2;
        this.y = this.height / 2;
      }
      this.x = Math.min(Math.max(this.x, 0), this.width);
      this.y = Math.min(Math.max(this.y, 0), this.height);
    }

    // the picture's corner in screen pixels of its pane; whole ones where its pixels are shown as squares
    get corner() {
      const x = this.pane.width * this.ratio / 2 - this.x * this.zoom;
      const y = this.pane.height * this.ratio / 2 - this.y * this.zoom;
      return this.crisp ? [Math.round(x), Math.round(y)] : [x, y];
    }

    toPicture(px, py) {
      const [left, top] = this.corner;
      return [(px * this.ratio - left) / this.zoom, (py * this.ratio - top) / this.zoom];
    }

    toPane(x, y) {
      const [left, top] = this.corner;
      return [(left + x * this.zoom) / this.ratio, (top + y * this.zoom) / this.ratio];
    }
  }

  globalThis.viewer = { View };
})();
