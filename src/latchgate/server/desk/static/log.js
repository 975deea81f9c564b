"use strict";

// Follows the request log: asks every two seconds what is new, while nobody reads the rows that are there. The server gives
// few rows a time and the rest as a number, and the page keeps few: however much comes, both have time.
(() => {
  const everyMilliseconds = 2000;
  const patienceMilliseconds = 30000;
  const rowsMax = 200;
  // A page that is left alone must not keep its session from growing old.
  const aloneMilliseconds = 30 * 60 * 1000;
  const reading = "Paused while you read";
  // Whether to follow, whatever of the page is exchanged meanwhile.
  let wanted = false;
  // Counts the changes between the two: what was asked before one is not taken after it.
  let turn = 0;
  let timer = 0;
  let failures = 0;
  let touched = Date.now();

  const bar = () => document.querySelector("[data-live]");
  const rows = () => document.getElementById("results");

  function tell(words) {
    const place = bar()?.querySelector("[role=status]");
    if (place && place.textContent !== words) place.textContent = words;
  }

  function follow(on) {
    wanted = on;
    turn += 1;
    failures = 0;
    touched = Date.now();
    clearTimeout(timer);
    const button = bar()?.querySelector("button");
    if (!button) return;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Pause" : "Follow new requests";
    tell(on ? "Following" : "");
    if (on) look();
  }

  // Rows that move away are not read: while somebody points at them, is in them, has one open or has scrolled down to them.
  function isRead() {
    const place = rows();
    const selected = !getSelection().isCollapsed && place.contains(getSelection().anchorNode);
    const inside = place.contains(document.activeElement) || place.matches(":hover");
    return document.hidden || inside || selected || place.querySelector("tr.whole") || place.getBoundingClientRect().top < 0;
  }

  function again() {
    clearTimeout(timer);
    const wait = Math.min(patienceMilliseconds, everyMilliseconds * 2 ** failures);
    if (wanted) timer = setTimeout(look, wait);
  }

  async function look() {
    const place = bar();
    if (!wanted || !place) return;
    if (Date.now() - touched > aloneMilliseconds) return stop("Paused: nobody was here for half an hour");
    if (isRead()) tell(reading);
    else await ask(place);
    again();
  }

  async function ask(place) {
    const address = new URL(place.dataset.live, location.href);
    address.searchParams.set("seen", place.dataset.seen);
    const asked = turn;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (asked !== turn) return;
      const refused = answer.redirected || (answer.status >= 400 && answer.status < 500);
      if (refused) return stop("This can be followed no longer. Reload the page.");
      if (!answer.ok) throw new Error(String(answer.status));
      const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-seen]");
      if (asked !== turn) return;
      failures = 0;
      // The page may have been exchanged, and somebody may have begun to read: then it is asked for once more.
      if (place.isConnected && !isRead()) take(place, part);
    } catch {
      if (asked !== turn) return;
      failures += 1;
      tell("Latchgate does not answer; trying again");
    }
  }

  function stop(words) {
    follow(false);
    tell(words);
  }

  function take(place, part) {
    place.dataset.seen = part.dataset.seen;
    tell("Following");
    const news = [...part.querySelectorAll("tbody tr")].filter((row) => !document.getElementById(row.querySelector("a.opens").id));
    refreshTimes();
    if (!news.length) return;
    if (!rows().querySelector("tbody")) rows().replaceChildren(emptied(part));
    const body = rows().querySelector("tbody");
    if (part.dataset.more) body.prepend(gap(part.dataset.more, news[0].cells.length));
    body.prepend(...news);
    while (body.rows.length > rowsMax) body.lastElementChild.remove();
    for (const row of news) window.htmx.process(row);
  }

  // The table of the first rows, where there were none.
  function emptied(part) {
    const table = part.querySelector(".rows").cloneNode(true);
    table.querySelector("tbody").replaceChildren();
    return table;
  }

  function gap(words, columns) {
    const row = document.createElement("tr");
    row.className = "gap";
    const cell = row.insertCell();
    cell.colSpan = columns;
    cell.textContent = words;
    return row;
  }

  function refreshTimes() {
    for (const time of rows().querySelectorAll("td time")) {
      const seconds = Math.round((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (seconds < 10 || seconds >= 3600) continue;
      const [count, unit] = seconds < 60 ? [seconds, "second"] : [Math.floor(seconds / 60), "minute"];
      time.textContent = `${count} ${unit}${count === 1 ? "" : "s"} ago`;
    }
  }

  for (const sign of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    document.addEventListener(sign, () => (touched = Date.now()), { passive: true });
  }
  document.addEventListener("click", (event) => {
    if (event.target.id === "follow") follow(!wanted);
  });
  // Other filters: what is new for them. A page without the log is not followed.
  document.addEventListener("htmx:afterSettle", () => {
    const place = bar();
    if (!place) wanted = false;
    else if (wanted && place.querySelector("button").getAttribute("aria-pressed") === "false") follow(true);
  });
})();
