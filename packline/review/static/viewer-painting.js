"use strict";
// Painting a pane: one picture, or two that are laid over each other.
(() => {
  // from this zoom on nobody sees that squares of whole screen pixels differ by one
  const EVEN = 8;

  class Painter {
    constructor(view, pictures, well) {
      this.view = view;
      this.pictures = pictures;
      this.well = well;
      this.scratch = document.createElement("canvas");
    }

    // What a pane shows of two pictures: [paint, opacity, clipped from, to] each, in shares of the pane's width.
    // own and other: { key, full, paint }; second: which of both a blink shows
    mixed(mode, amount, own, other, second) {
      if (!own.paint || !other.paint) return [[own.paint || other.paint, 1]];
      if (mode === "swipe") return [[other.paint, 1, 0, amount / 100], [own.paint, 1, amount / 100, 1]];
      if (mode === "onion") return [[other.paint, 1], [own.paint, amount / 100]];
      if (mode === "blink") return [[second ? other.paint : own.paint, 1]];
      const key = `${own.key} ${own.full} ${other.key} ${other.full}`;
      const made = this.pictures.difference(key, amount, own.paint, other.paint);
      return [[(pen) => pen.drawImage(made, 0, 0, this.view.width, this.view.height), 1]];
    }

    // rough: while pictures move, speed counts more than even pixels
    pane({ canvas, pen }, parts, rough) {
      const { view } = this;
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.fillStyle = this.well;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      const corner = view.corner;
      const uneven = !rough && view.crisp && view.zoom < EVEN && Math.abs(view.zoom - Math.round(view.zoom)) > 1e-3;
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
          const part = this.squares(what, canvas, corner);
          if (part) pen.drawImage(this.scratch, ...part);
        } else {
          what(pen);
        }
        pen.restore();
      }
    }

    // Pixels as even squares at any zoom: drawn at a whole multiple without smoothing, then made smaller with it.
    // Answers which part of the picture was drawn; null where none is in sight.
    squares(what, canvas, [left, top]) {
      const { zoom, width, height } = this.view;
      const times = Math.ceil(zoom);
      const x = Math.max(Math.floor(-left / zoom), 0), y = Math.max(Math.floor(-top / zoom), 0);
      const right = Math.min(Math.ceil((canvas.width - left) / zoom), width);
      const bottom = Math.min(Math.ceil((canvas.height - top) / zoom), height);
      if (right <= x || bottom <= y) return null;
      this.scratch.width = (right - x) * times;
      this.scratch.height = (bottom - y) * times;
      const pen = this.scratch.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.setTransform(times, 0, 0, times, -x * times, -y * times);
      what(pen);
      return [x, y, right - x, bottom - y];
    }
  }

  viewer.Painter = Painter;
})();
