"use strict";

// What the desk's pages do beyond what the server renders. Everything listens at the document, since pages are exchanged
// beneath it; nothing here is needed to read a page or to send a form.
(() => {
  const copied = "Copied";
  const copiedMilliseconds = 2000;

  // --- Asking the server: the session's token goes along, and what fails is told where it can be seen.

  const form = (event) => event.detail.requestConfig?.verb !== "get";

  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.body.dataset.csrf_token;
    if (token && event.detail.verb !== "get") event.detail.headers["X-Frappe-CSRF-Token"] = token;
    if (event.target.matches(".filters")) leaveOutEmpty(event.detail.formData);
  });

  // The address of a list says what was chosen, not all that could be.
  function leaveOutEmpty(chosen) {
    for (const [name, value] of [...chosen]) if (!value) chosen.delete(name);
  }

  // What was typed is searched for as it is typed. To leave the field asks nothing: the rows would be exchanged just when
  // one of them was pressed.
  document.addEventListener(
    "change",
    (event) => {
      const { type, name, value } = event.target;
      const searched = new URLSearchParams(location.search).get(name) ?? "";
      if (type === "search" && value === searched) event.stopPropagation();
    },
    true,
  );

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    // What a page asks by itself, to sum up a form, takes no sentence away that somebody has yet to read.
    if (!elt.matches?.("[aria-live]")) tell("");
    const asked = [document.activeElement, elt, elt.querySelector?.("[type=submit]")];
    opener = asked.find((one) => one?.id && !one.closest("dialog"))?.id ?? opener;
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, boosted } = event.detail;
    if (new URL(xhr.responseURL || location.href).pathname === "/login") {
      event.detail.shouldSwap = false;
      location.assign("/login");
    } else if (boosted && event.detail.isError && !form(event)) {
      // The page that was asked for says itself why it is not there; a form stays, with what was typed.
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const said = page.querySelector("[data-fault]")?.textContent.trim();
    tell(`${said || "That did not work."} What you entered is still here; reload the page if it goes on.`);
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, () => {
      tell("Latchgate does not answer. What you entered is still here; try again in a moment.");
    });
  }

  function tell(sentence) {
    const place = document.querySelector("dialog:modal .dialog-footer .asks") || document.getElementById("alert");
    if (!place) return;
    place.textContent = sentence;
    place.hidden = !sentence;
    if (sentence) place.scrollIntoView({ block: "nearest" });
  }

  // --- Files that few pages need: whatever is on a page and names some in data-needs has them fetched, once, in their order.

  const fetched = new Set();

  function fetchNeeded() {
    const needed = [...document.querySelectorAll("[data-needs]")].flatMap((one) => one.dataset.needs.split(" "));
    for (const address of needed) {
      if (fetched.has(address)) continue;
      fetched.add(address);
      const style = address.includes(".css");
      const file = document.createElement(style ? "link" : "script");
      if (style) Object.assign(file, { rel: "stylesheet", href: address });
      else Object.assign(file, { src: address, async: false });
      document.head.append(file);
    }
  }
  document.addEventListener("DOMContentLoaded", fetchNeeded);
  document.addEventListener("htmx:afterSettle", fetchNeeded);

  // --- Dialogs come open; above the page they hold the focus, and they leave nothing behind.

  // What opened the dialog, by its id: it may have been exchanged by the time that the focus goes back to it.
  let opener = "";

  function raiseDialogs() {
    for (const dialog of document.querySelectorAll("dialog[open]:not(:modal)")) {
      dialog.close();
      dialog.showModal();
      // Not by autofocus, which would take the focus before the dialog notes whom to give it back.
      dialog.querySelector("[data-first]")?.focus();
    }
  }
  document.addEventListener("DOMContentLoaded", raiseDialogs);
  document.addEventListener("htmx:afterSettle", raiseDialogs);

  function giveBack() {
    const focused = document.activeElement;
    if (!focused || focused === document.body) (document.getElementById(opener) ?? document.getElementById("main"))?.focus();
  }

  function mayClose(dialog) {
    if (!dialog.dataset.ask || "copied" in dialog.dataset) return true;
    const place = dialog.querySelector(".dialog-footer .asks");
    place.textContent = dialog.dataset.ask;
    place.hidden = false;
    delete dialog.dataset.ask;
    return false;
  }
  document.addEventListener("cancel", (event) => {
    if (event.target.matches("dialog") && !mayClose(event.target)) event.preventDefault();
  }, true);
  document.addEventListener("submit", (event) => {
    const dialog = event.target.method === "dialog" && event.target.closest("dialog");
    if (dialog && !mayClose(dialog)) event.preventDefault();
  });
  document.addEventListener("close", (event) => {
    if (!event.target.matches("dialog") || event.target.open) return;
    event.target.remove();
    giveBack();
    // Where the browser itself moves the focus only when it draws the page again.
    requestAnimationFrame(giveBack);
  }, true);

  // --- Copying, with a word that it was done.

  async function copy(button) {
    const source = document.getElementById(button.dataset.copyOf);
    const text = source ? source.value ?? source.textContent.trim() : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text, button);
    }
    confirm(button);
  }

  // Without https a browser has no clipboard for pages; the old way still works, beside the button, within its dialog.
  function copyByHand(text, button) {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr";
    button.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }

  function confirm(button) {
    const words = button.firstChild;
    const before = button.dataset.words ?? words.textContent;
    button.dataset.words = before;
    words.textContent = copied;
    announce(copied);
    const dialog = button.closest("dialog");
    if (dialog) {
      dialog.dataset.copied = "";
      dialog.querySelector(".dialog-footer .asks").hidden = true;
    }
    setTimeout(() => (words.textContent = before), copiedMilliseconds);
  }

  function announce(words) {
    const place = document.createElement("span");
    place.className = "sr";
    place.setAttribute("role", "status");
    (document.querySelector("dialog:modal") || document.getElementById("main")).append(place);
    place.textContent = words;
    setTimeout(() => place.remove(), copiedMilliseconds);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-of]");
    if (button) copy(button);
    else openRow(event);
  });

  // What stands above a row's stretched link, for its words on hover, opens the row too.
  function openRow(event) {
    const row = event.target.closest(".rows tbody tr");
    if (row && !event.target.closest("a, button, input, label") && getSelection().isCollapsed) {
      row.querySelector("a.opens")?.click();
    }
  }

  // --- Tabs by the arrows; Enter and Space open. On a phone the chosen one may be out of sight.

  function showTab() {
    const tab = document.querySelector(".tabs [aria-selected=true]");
    if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 48;
  }
  document.addEventListener("DOMContentLoaded", showTab);
  document.addEventListener("htmx:afterSettle", showTab);

  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("[role=tab]");
    if (!tab) return;
    const tabs = [...tab.parentElement.querySelectorAll("[role=tab]")];
    const ends = { Home: 0, End: tabs.length - 1 };
    const step = steps[event.key];
    if (event.key === " ") tab.click();
    else if (step) tabs.at((tabs.indexOf(tab) + step) % tabs.length).focus();
    else if (event.key in ends) tabs[ends[event.key]].focus();
    else return;
    event.preventDefault();
  });

  // --- Keys of the whole desk: "/" searches, "?" tells of all; both can be switched off, as some speak their keys.

  const switchedOff = "latchgate.shortcuts-off";
  const isOff = () => localStorage.getItem(switchedOff) !== null;
  const types = (element) => element.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  function openSearch() {
    const field = document.getElementById("q");
    if (field) field.select();
    else raise("quick-search");
  }

  function openShortcuts() {
    raise("shortcut-list");
    const box = document.getElementById("shortcuts-on");
    if (box) box.checked = !isOff();
  }

  function raise(name) {
    const template = document.getElementById(name);
    const dialogs = document.getElementById("dialogs");
    if (!template || document.querySelector("dialog:modal")) return false;
    document.getElementById("menu")?.hidePopover?.();
    opener = document.activeElement?.id || opener;
    dialogs.replaceChildren(template.content.cloneNode(true));
    htmx.process(dialogs);
    raiseDialogs();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isOff() || types(event.target)) return;
    const open = { "/": openSearch, "?": openShortcuts }[event.key];
    if (!open || document.querySelector("dialog:modal")) return;
    event.preventDefault();
    open();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("#shortcuts-opener")) openShortcuts();
    else if (event.target.closest("#to-search") && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      openSearch();
    }
  }, true);

  document.addEventListener("change", (event) => {
    if (event.target.id !== "shortcuts-on") return;
    if (event.target.checked) localStorage.removeItem(switchedOff);
    else localStorage.setItem(switchedOff, "1");
  });

  // A browser would only empty the field.
  document.addEventListener("keydown", (event) => {
    const dialog = event.key === "Escape" && event.target.closest("#search:modal");
    if (!dialog) return;
    event.preventDefault();
    dialog.close();
  });

  // From the field to the results and back by the arrows. Tab goes the same way, and beyond.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const form = step && document.querySelector("[data-finds]");
    if (!form || !(event.target.closest("[data-finds], .found a"))) return;
    const stops = [form.querySelector("input"), ...document.querySelectorAll(".found a")];
    const next = stops.indexOf(event.target) + step;
    if (next < 0 || next >= stops.length) return;
    event.preventDefault();
    stops[next].focus();
  });

  // A secret is not sent, since it would stand in an address. The server refuses it too.
  const secret = /(?:^|[^0-9A-Za-z])lg[sarclod]_[0-9A-Za-z]/;

  function keepsBack(form) {
    const field = form.querySelector("input");
    if (!secret.test(field.value)) return false;
    field.value = "";
    const told = document.getElementById("told");
    told.textContent = "That looks like a secret: it was taken away, and nothing was sent. Search for the API key, its public half.";
    return true;
  }
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-finds]") && keepsBack(event.target)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target.matches("[data-finds]") && keepsBack(event.target)) event.preventDefault();
  });
})();
