"use strict";
// Wheel, drag, pinch and double click: one finger or the mouse moves the pictures, two fingers zoom them.
(() => {
  const LINE = 16, PAGE = 400;
  const TAP = 4;

  // handlers: zoom(factor, pane, px, py), pan(dx, dy), pinch(factor, from x, from y, to x, to y), twice(pane, px, py),
  // over(pane, px, py) or over(null)
  function gestures(stage, handlers) {
    const fingers = new Map();
    const paneOf = (target) => target.closest(".pane");
    const place = (event, pane) => {
      const box = pane.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };

    stage.addEventListener("wheel", (event) => {
      const pane = paneOf(event.target);
      if (!pane) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? PAGE : 1;
      // with ctrl it is a touchpad's pinch, whose steps are smaller
      const speed = event.ctrlKey ? 0.01 : 0.002;
      const turn = Math.min(Math.max(event.deltaY * unit * speed, -0.7), 0.7);
      handlers.zoom(Math.exp(-turn), pane, ...place(event, pane));
    }, { passive: false });

    stage.addEventListener("pointerdown", (event) => {
      const pane = paneOf(event.target);
      if (!pane || event.button > 0 || event.target.closest("[role=slider]")) return;
      fingers.set(event.pointerId, { pane, x: event.clientX, y: event.clientY, far: 0 });
      stage.setPointerCapture(event.pointerId);
      stage.classList.add("held");
    });

    stage.addEventListener("pointermove", (event) => {
      const finger = fingers.get(event.pointerId);
      if (!finger) {
        const pane = paneOf(event.target);
        if (pane) handlers.over(pane, ...place(event, pane));
        return;
      }
      const dx = event.clientX - finger.x, dy = event.clientY - finger.y;
      finger.far += Math.abs(dx) + Math.abs(dy);
      if (fingers.size === 1) {
        if (finger.far >= TAP) handlers.pan(dx, dy);
      } else {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
        const before = Math.hypot(finger.x - other.x, finger.y - other.y);
        const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
        const box = finger.pane.getBoundingClientRect();
        const middle = (x, y) => [(x + other.x) / 2 - box.left, (y + other.y) / 2 - box.top];
        if (before > 0)
          handlers.pinch(after / before, ...middle(finger.x, finger.y), ...middle(event.clientX, event.clientY));
      }
      finger.x = event.clientX;
      finger.y = event.clientY;
    });

    const lift = (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) stage.classList.remove("held");
    };
    stage.addEventListener("pointerup", lift);
    stage.addEventListener("pointercancel", lift);
    stage.addEventListener("pointerleave", () => { if (!fingers.size) handlers.over(null); });
    stage.addEventListener("dblclick", (event) => {
      const pane = paneOf(event.target);
      if (pane && !event.target.closest("[role=slider]")) handlers.twice(pane, ...place(event, pane));
    });
  }

  viewer.gestures = gestures;
})();
