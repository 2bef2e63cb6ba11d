"use strict";
// The pictures of a shot: a thumbnail at first, then the full size; what is made of two of them is kept.
(() => {
  // how many differences are kept
  const KEPT = 4;

  class Pictures {
    // changed is called whenever a picture is there that was not
    constructor(width, height, changed) {
      this.width = width;
      this.height = height;
      this.changed = changed;
      this.shown = new Map();
      this.made = new Map();
    }

    // show one already that the page holds, until the full size is there
    lend(url, image) {
      if (!this.shown.has(url)) this.shown.set(url, { image, full: false, asked: false, gone: false });
    }

    // the best that is there of an address; asks for the full size when it is first wanted
    get(url, small = "") {
      if (!url) return null;
      if (!this.shown.has(url)) {
        const thumbnail = small ? this.load(small, () => this.changed()) : null;
        this.shown.set(url, { image: thumbnail, full: false, asked: false, gone: false });
      }
      const entry = this.shown.get(url);
      if (!entry.asked) {
        entry.asked = true;
        const image = this.load(url, () => { entry.image = image; entry.full = true; this.changed(); });
        image.addEventListener("error", () => { entry.gone = true; this.changed(); });
      }
      const ready = entry.image && entry.image.complete && entry.image.naturalWidth > 0;
      return { image: ready ? entry.image : null, full: entry.full, gone: entry.gone };
    }

    load(url, then) {
      const image = new Image();
      image.decoding = "async";
      image.src = url;
      // decoded before it is drawn, so that drawing never waits
      image.decode().then(then, () => {});
      return image;
    }

    // a picture's pixels at the candidate's size
    pixels(paint) {
      const canvas = document.createElement("canvas");
      canvas.width = this.width;
      canvas.height = this.height;
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.imageSmoothingQuality = "high";
      paint(pen);
      return pen;
    }

    // how far two pictures differ, channel by channel and so many times as strong
    difference(key, gain, paintOne, paintOther) {
      const name = `${gain} ${key}`;
      if (this.made.has(name)) return this.made.get(name);
      const one = this.pixels(paintOne), other = this.pixels(paintOther);
      const a = one.getImageData(0, 0, this.width, this.height);
      const b = other.getImageData(0, 0, this.width, this.height).data;
      const data = a.data;
      for (let i = 0; i < data.length; i += 4)
        for (let c = i; c < i + 3; c++) data[c] = gain * Math.abs(data[c] - b[c]);
      one.putImageData(a, 0, 0);
      this.made.set(name, one.canvas);
      if (this.made.size > KEPT) this.made.delete(this.made.keys().next().value);
      return one.canvas;
    }
  }

  viewer.Pictures = Pictures;
})();
