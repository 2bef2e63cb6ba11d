"use strict";
// Which evidence is drawn: what failed by itself, the rest when it is switched on or looked at.
(() => {
  // what each pane can show: the base photo what changed in the scene, the reference what it says itself
  const CAN = {
    base: (layer) => layer.name === "scene" || layer.name === "scene_kept",
    reference: (layer) => layer.name === "print" || layer.name === "silhouette",
    candidate: () => true,
  };

  class Evidence {
    // layers answers the layers of the candidate that is shown; drawn is called when marks have changed
    constructor(panes, layers, drawn) {
      this.panes = panes;
      this.layers = layers;
      this.drawn = drawn;
      this.all = true;
      // layers that a person switched on or off; the others follow their verdict
      this.own = new Map();
      this.lit = null;
    }

    find(name) { return this.layers().find((layer) => layer.name === name); }

    isOn(layer, pane) {
      if (this.own.has(layer.name)) return this.own.get(layer.name);
      if (pane === "reference") return layer.name === "print";
      return layer.tone === "fail" || layer.tone === "doubt";
    }

    mark() {
      const layers = this.layers();
      for (const { name, marks } of this.panes) {
        const drawn = layers.filter((layer) =>
          CAN[name](layer) && (layer.name === this.lit || (this.all && this.isOn(layer, name))));
        marks.show(drawn);
        marks.light(drawn.some((layer) => layer.name === this.lit) ? this.lit : null);
      }
      this.drawn();
    }

    toggleAll() {
      this.all = !this.all;
      this.mark();
    }

    toggle(name) {
      const layer = this.find(name);
      if (!layer) return;
      const on = !this.isOn(layer, "candidate");
      this.own.set(name, on);
      // who switches one on wants to see it, and who switches it off does not, though the pointer is still there
      if (on) this.all = true;
      this.lit = on ? name : null;
      this.mark();
    }

    light(name) {
      if (this.lit === name) return;
      this.lit = name;
      this.mark();
    }

    // the box around everything that a layer points at; null where there is none
    box(name) {
      const layer = this.find(name);
      if (!layer) return null;
      const boxes = layer.shapes.map((shape) => shape.box);
      return [0, 1].map((i) => Math.min(...boxes.map((one) => one[i])))
        .concat([2, 3].map((i) => Math.max(...boxes.map((one) => one[i]))));
    }
  }

  viewer.Evidence = Evidence;
})();
