// Fetches the page again and puts its main part in the place of the old one. Without it everything works, by hand.
"use strict";

(() => {
  const EVERY_MILLISECONDS = 10000;
  const LATE_MILLISECONDS = 9000;
  const told = document.getElementById("refresh");
  let timer = 0;
  let underWay = null;

  const say = (text) => {
    if (told && told.textContent !== text) told.textContent = text;
  };

  // What is being typed or read by a screen reader is left alone: a part that says the same stays the same element.
  const replace = (page) => {
    const [before, after] = [document.getElementById("live"), page.getElementById("live")];
    if (!before || !after) throw new Error("no such part");
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && before.contains(selection.anchorNode)) return; // somebody copies it
    const focused = document.activeElement;
    const id = focused && before.contains(focused) ? focused.id : "";
    const typed = focused instanceof HTMLInputElement ? focused : null;
    const keep = before.querySelector("[role=status]");
    const fresh = after.querySelector("[role=status]");
    if (keep && fresh && keep.textContent === fresh.textContent) fresh.replaceWith(keep);
    const field = typed && typed.id ? after.querySelector(`#${CSS.escape(typed.id)}`) : null;
    const [start, end] = typed ? [typed.selectionStart, typed.selectionEnd] : [0, 0];
    if (field) field.replaceWith(typed);
    before.replaceChildren(...after.childNodes);
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
    if (field) typed.setSelectionRange(start, end);
    document.title = page.title;
  };

  const refresh = async () => {
    window.clearTimeout(timer);
    underWay?.abort();
    if (document.hidden) return;
    const control = (underWay = new AbortController());
    const late = window.setTimeout(() => control.abort(new Error("late")), LATE_MILLISECONDS);
    try {
      const answer = await fetch(window.location.href, { signal: control.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const text = await answer.text();
      replace(new DOMParser().parseFromString(text, "text/html"));
      document.body.classList.remove("stale");
      say("Refreshes by itself");
    } catch (error) {
      if (error.name === "AbortError") return;
      document.body.classList.add("stale");
      say("No answer: what is shown is old");
    } finally {
      window.clearTimeout(late);
    }
    timer = window.setTimeout(refresh, EVERY_MILLISECONDS);
  };

  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("pageshow", (event) => event.persisted && refresh());
  say("Refreshes by itself");
  timer = window.setTimeout(refresh, EVERY_MILLISECONDS);
})();
