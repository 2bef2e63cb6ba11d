// Deciding on a shot by buttons or keys, and keeping it to oneself for as long as its page is open.
"use strict";

(() => {
  const panel = document.getElementById("decide");
  if (!panel) return;
  const said = document.getElementById("decide-said");
  const verbs = [...panel.querySelectorAll("[data-verb]")];
  const forms = [...panel.querySelectorAll("form.verb")];
  let going = false;

  // The candidate that the viewer shows; it marks it in the strip.
  const shown = () => {
    const link = document.querySelector("#strip [data-candidate][aria-current=true]");
    return link ? link.dataset.candidate : "";
  };

  const complain = (words) => {
    said.textContent = words;
    said.hidden = false;
    said.scrollIntoView({ block: "nearest" });
  };

  const follow = () => {
    for (const field of panel.querySelectorAll("input[name=candidate]")) field.value = shown() || field.value;
    for (const tag of panel.querySelectorAll("[data-against]")) {
      if (!tag.dataset.touched) tag.checked = tag.dataset.against.split(" ").includes(shown());
    }
  };

  const open = (name) => {
    said.hidden = true;
    follow();
    for (const form of forms) form.hidden = form.id !== `form-${name}`;
    for (const verb of verbs) verb.setAttribute("aria-expanded", String(verb.dataset.verb === name));
    const form = document.getElementById(`form-${name}`);
    if (!form) return;
    const first = form.querySelector("input:not([type=hidden]), select");
    (first || form.querySelector("button")).focus();
    form.scrollIntoView({ block: "nearest" });
  };

  const close = () => {
    const verb = verbs.find((one) => one.getAttribute("aria-expanded") === "true");
    for (const form of forms) form.hidden = true;
    for (const one of verbs) one.setAttribute("aria-expanded", "false");
    if (verb) verb.focus();
  };

  const send = async (form) => {
    if (going) return;
    going = true;
    follow();
    const answer = await desk.post(form.getAttribute("action"), new FormData(form));
    if (answer.ok) { location.assign(answer.next); return; }
    going = false;
    complain(answer.sentence);
  };

  for (const verb of verbs) {
    verb.addEventListener("click", () => (verb.getAttribute("aria-expanded") === "true" ? close() : open(verb.dataset.verb)));
    desk.on({ approve: "a", reject: "r", again: "t" }[verb.dataset.verb], () => open(verb.dataset.verb));
  }

  for (const form of forms) {
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
    form.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); return; }
      const box = event.target.matches("input[type=checkbox]");
      if (box && event.key === "Enter") { event.preventDefault(); form.requestSubmit(); }
      if (box && /^[1-9]$/.test(event.key)) {
        const tag = form.querySelectorAll("[data-against]")[Number(event.key) - 1];
        if (tag) { tag.checked = !tag.checked; tag.dataset.touched = "yes"; tag.focus(); }
        event.preventDefault();
        event.stopPropagation();
      }
    });
    form.addEventListener("change", (event) => { if (event.target.dataset.against !== undefined) event.target.dataset.touched = "yes"; });
    for (const button of form.querySelectorAll("[data-close]")) button.addEventListener("click", close);
  }

  for (const [key, id] of [["u", "undo"], ["n", "next"]]) {
    const form = document.getElementById(id);
    if (!form) continue;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
    desk.on(key, () => form.requestSubmit());
  }

  // the lease
  const idle = panel.dataset.idle !== undefined;
  if (idle) return;
  const place = { catalog: panel.dataset.catalog, key: panel.dataset.key, page: panel.dataset.page };
  const renew = async () => {
    const answer = await desk.post("/lease/renew", place);
    if (!answer.ok || answer.yours || going) return;
    complain("This shot was opened in another window, or by somebody else while this page slept; load it again.");
    for (const verb of verbs) verb.disabled = true;
    clearInterval(timer);
  };
  const timer = setInterval(renew, (Number(panel.dataset.renew) * 1000) / 3);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  const leave = () => {
    navigator.sendBeacon("/lease/leave", new URLSearchParams({ page: place.page, csrf: document.body.dataset.csrf }));
  };
  // the first is before the next page is asked for, so that the queue knows; tablets only know the second
  addEventListener("beforeunload", leave);
  addEventListener("pagehide", leave);
  // a page that comes back from the browser's memory has lost its lease and may show what is no longer so
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
