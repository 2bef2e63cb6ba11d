// Voting on a blind pair by keys, each vote once.
"use strict";

(() => {
  const form = document.getElementById("vote");
  const go = document.getElementById("go");
  if (go) desk.on("v", () => go.click());
  if (!form) return;
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  for (const key of ["1", "2", "0"]) {
    desk.on(key, (event) => {
      // a key that is held down says it once
      if (!event.repeat && !sent) form.querySelector(`[value="${key}"]`).click();
    });
  }
  // who comes back to this page by the browser's button may vote on what is there
  window.addEventListener("pageshow", () => { sent = false; });
})();
