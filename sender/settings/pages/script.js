// What makes the pages a little more convenient. Without it all of them work.
"use strict";

const announce = text => { document.getElementById("announce").textContent = text; };

// Copy buttons.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break; // it is there on https and localhost only
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      announce("Copied.");
    } catch {
      button.textContent = "Select and copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// A form is sent once, unless the visitor stops that or comes back, and a choice
// that shows something shows it at once.
let unsend = () => {};
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", event => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    const button = event.submitter, text = button && button.textContent;
    if (button && button.dataset.busy) { button.textContent = button.dataset.busy; announce(button.dataset.busy); }
    unsend = () => { delete form.dataset.sent; if (button) button.textContent = text; };
  });
}
addEventListener("pageshow", event => { if (event.persisted) unsend(); });
addEventListener("keydown", event => { if (event.key === "Escape") unsend(); }); // which stops browsers
if (window.navigation) navigation.addEventListener("navigateerror", () => unsend());
for (const select of document.querySelectorAll("select[data-submit]")) {
  select.form.querySelector("button").hidden = true;
  select.addEventListener("change", () => select.form.submit());
}

// The URL is looked into when its field is left.
const url = document.querySelector("input[data-check]");
if (url) {
  let checked = url.value;
  url.addEventListener("change", async () => {
    const value = url.value.trim();
    if (!value || value === checked) return;
    checked = value;
    const place = document.getElementById("e-url");
    try {
      const answer = await fetch(url.dataset.check, { method: "POST", body: new URLSearchParams({ url: value }), headers: { Accept: "application/json" } });
      if (!answer.ok || url.value.trim() !== value) return;
      const last = (await answer.json()).checks.at(-1);
      const line = document.createElement("p");
      line.className = last.ok ? "fine" : "fault";
      line.textContent = (last.ok ? "✓ " : "") + last.detail + (last.remedy ? " " + last.remedy : "");
      place.replaceChildren(line);
      if (last.ok) url.removeAttribute("aria-invalid"); else url.setAttribute("aria-invalid", "true");
    } catch { /* it is looked into when the form is sent */ }
  });
}

// A part of the page is made anew by the server and put in place of the old one.
async function renew(id) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById(id), old = document.getElementById(id);
  if (!next || !old) return null;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(document.adoptNode(next));
  if (focused) document.getElementById(focused)?.focus();
  return next;
}

// What is under way is shown until it has ended.
const refreshed = document.querySelector("[data-refresh]");
if (refreshed) {
  const again = async () => {
    const next = document.hidden ? refreshed : await renew("refreshed").catch(() => null);
    if (next && !next.dataset.refresh) { announce("The page is up to date."); return; }
    setTimeout(again, next ? Number(refreshed.dataset.refresh) : 5000);
  };
  setTimeout(again, Number(refreshed.dataset.refresh));
}

// Deliveries show up as they happen, until that is paused. At most once a
// second the list is made anew, whatever happens in it.
const live = document.getElementById("live");
if (live && "EventSource" in window) {
  const text = document.getElementById("live-text"), pause = document.getElementById("pause");
  let paused = false, due = false, timer = 0, source = null;
  const say = (what, still) => { text.textContent = what; live.classList.toggle("still", still); };
  const show = async () => {
    timer = 0;
    if (paused || document.hidden || !due) return;
    due = false;
    const before = new Set([...document.querySelectorAll("#rows a")].map(link => link.id));
    const next = await renew("rows").catch(() => null);
    if (!next) return;
    if (next.tagName !== "TBODY" || !before.size) { if (next.tagName === "TBODY") location.reload(); return; }
    let fresh = 0;
    for (const row of next.rows) if (!before.has(row.querySelector("a").id)) { row.classList.add("fresh"); fresh++; }
    if (fresh) announce(fresh + (fresh === 1 ? " new delivery" : " new deliveries"));
  };
  const soon = () => { due = true; if (!timer) timer = setTimeout(show, 1000); };
  const open = () => {
    source = new EventSource(live.dataset.stream);
    source.addEventListener("open", () => { live.hidden = false; say("Live", false); });
    source.addEventListener("delivery", soon);
    source.addEventListener("lost", soon);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) say("Not live: load the page again", true);
      else say("Connecting again…", true);
    });
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (paused) { source.close(); say("Paused", true); } else { open(); soon(); }
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && due) soon(); });
  addEventListener("pagehide", () => source && source.close());
  open();
}
