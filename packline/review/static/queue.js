// The queue by keys, and deciding on several shots at once.
"use strict";

(() => {
  const rows = [...document.querySelectorAll("#items .row")];
  const links = rows.map((row) => row.querySelector(".open"));
  const move = (step) => {
    const at = links.findIndex((link) => link.closest(".row").contains(document.activeElement));
    const next = links[at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1)];
    if (next) { next.focus(); next.closest(".row").scrollIntoView({ block: "nearest" }); }
  };
  desk.on("j", () => move(1));
  desk.on("k", () => move(-1));
  desk.on("/", () => document.querySelector(".find input").focus());
  for (const [key, id] of [["s", "start"], ["u", "undo"]]) {
    const form = document.getElementById(id);
    const button = form && form.querySelector("button");
    if (button) desk.on(key, () => { if (!button.disabled) form.requestSubmit(); });
  }
  const undo = document.getElementById("undo");
  if (undo) undo.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await desk.post("/undo", new FormData(undo));
    if (answer.ok) location.assign(answer.next); else desk.say(answer.sentence);
  });
  for (const select of document.querySelectorAll(".filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  const form = document.getElementById("chosen");
  const bar = document.getElementById("bulk");
  if (!form || !bar) return;
  const dialog = document.getElementById("bulk-dialog");
  const said = document.getElementById("bulk-said");
  const kind = dialog.querySelector("[name=kind]");
  const typed = dialog.querySelector("[name=count]");
  const boxes = [...form.querySelectorAll("input[name=shots]")];
  const chosen = () => boxes.filter((box) => box.checked);

  const show = () => {
    bar.hidden = !chosen().length;
    document.getElementById("bulk-count").textContent = String(chosen().length);
    for (const box of boxes) box.closest(".row").classList.toggle("chosen", box.checked);
  };
  form.addEventListener("change", show);
  document.getElementById("bulk-none").addEventListener("click", () => { for (const box of boxes) box.checked = false; show(); });
  desk.on("x", () => {
    const row = document.activeElement.closest(".row");
    const box = row && row.querySelector("input[name=shots]");
    if (box) { box.checked = !box.checked; show(); }
  });

  const ask = (name) => {
    const count = chosen().length;
    if (!count) { desk.say("Choose shots first: x chooses the one that has the focus."); return; }
    const shots = count === 1 ? "1 shot" : `${count} shots`;
    kind.value = name;
    said.hidden = true;
    typed.value = "";
    document.getElementById("bulk-title").textContent = name === "reject" ? `Reject ${shots}` : `Try ${shots} again`;
    document.getElementById("bulk-go").textContent = name === "reject" ? `Reject ${shots}` : `Try ${shots} again`;
    for (const part of dialog.querySelectorAll("[data-of]")) part.hidden = part.dataset.of !== name;
    dialog.showModal();
    typed.focus();
  };
  for (const button of bar.querySelectorAll("[data-bulk]")) button.addEventListener("click", () => ask(button.dataset.bulk));
  desk.on("r", () => ask("reject"));
  desk.on("t", () => ask("again"));
  document.getElementById("bulk-cancel").addEventListener("click", () => dialog.close());
  typed.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); document.getElementById("bulk-go").click(); }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const assign = event.submitter && event.submitter.getAttribute("formaction") === "/assign";
    const complain = (words) => { said.textContent = words; said.hidden = false; };
    if (!assign && typed.value.trim() !== String(chosen().length)) {
      complain(`You chose ${chosen().length}; type that number to confirm.`);
      typed.focus();
      return;
    }
    const answer = await desk.post(assign ? "/assign" : "/bulk", new FormData(form));
    if (answer.ok) location.assign(answer.next);
    else if (assign) desk.say(answer.sentence);
    else complain(answer.sentence);
  });
  show();
})();
