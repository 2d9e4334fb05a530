"use strict";
// Everything works without this: it refreshes, moves by keys and shows times as they are where the reader sits.
(() => {
  const REFRESH = 60000;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const two = (number) => String(number).padStart(2, "0");

  // 2026-11-22 08:00, with the time in UTC in the title.
  const localTimes = (root) => {
    for (const element of all("time[datetime]", root)) {
      const time = new Date(element.dateTime);
      if (Number.isNaN(time.getTime())) continue;
      const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
      element.textContent = `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
    }
  };

  // What lives is replaced part by part, so that what is typed, opened or scrolled to stays.
  const isBusy = (part) =>
    part.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);

  const replace = (old, fresh) => {
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const open = all("details", old).map((details) => details.open);
    old.replaceWith(fresh);
    localTimes(fresh);
    all("details", fresh).forEach((details, place) => { details.open = open[place] ?? details.open; });
    if (focused) all("a[href]", fresh).find((link) => link.getAttribute("href") === focused)?.focus();
  };

  const refresh = async () => {
    const selected = document.getSelection();
    if (document.hidden || (selected && !selected.isCollapsed) || all("dialog[open]").length > 0) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of all("[data-live], #as-of")) {
      const fresh = page.getElementById(old.id);
      if (fresh && !isBusy(old)) replace(old, document.importNode(fresh, true));
    }
  };

  const move = (by) => {
    const links = all("tr[data-row]").map((row) => row.querySelector("a[href]")).filter(Boolean);
    const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + by, 0), links.length - 1);
    links[next]?.focus();
  };

  const keys = document.getElementById("keys");
  const actions = {
    "/": () => all("[data-search]").at(-1)?.focus(),
    j: () => move(1),
    k: () => move(-1),
    "?": () => keys?.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (typing && event.key === "Escape") event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || keys?.open) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  // What says nothing is left out of the address.
  for (const form of all("form[data-filters], form.find")) {
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });
  }

  const button = document.querySelector("[data-keys]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", actions["?"]);
  }
  localTimes(document);
  // Without an answer the page stays as it is, and says of when it is.
  setInterval(() => { refresh().catch(() => {}); }, REFRESH);
})();
