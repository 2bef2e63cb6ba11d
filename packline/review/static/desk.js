// What every page of the desk has: the help sheet, moving between pages by keys, short messages.
"use strict";

const desk = (() => {
  const help = document.getElementById("help");
  const toast = document.getElementById("toast");
  const keys = new Map();
  let before = "";
  let hiding = 0;

  // Whether a key belongs to what has the focus, and not to the page.
  const busy = (target) =>
    target instanceof HTMLElement && (target.matches("input:not([type=checkbox]), select, textarea") || target.isContentEditable);

  const say = (words) => {
    toast.textContent = words;
    toast.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => { toast.hidden = true; }, 6000);
  };

  // Post plain fields; answers what the server said as data.
  const post = async (address, fields) => {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "X-CSRF-Token": document.body.dataset.csrf, Accept: "application/json" },
      body: new URLSearchParams(fields),
    });
    return { ok: answer.ok, status: answer.status, ...(await answer.json().catch(() => ({ sentence: "The desk did not answer." }))) };
  };

  // Let a key do something on this page: desk.on("j", next). A second key follows a first: desk.on("g q", ...).
  const on = (name, act) => keys.set(name, act);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (busy(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const pair = `${before} ${event.key}`;
    const act = keys.get(pair) || keys.get(event.key);
    before = event.key;
    if (!act) return;
    event.preventDefault();
    before = "";
    act(event);
  });

  on("?", () => help.showModal());
  on("g q", () => { location.href = "/"; });
  for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => help.showModal());

  return { say, post, on };
})();
