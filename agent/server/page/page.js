// The page: the form, the list and one run, the keys, the key, and a server that may go away.

import { Away, Refusal, key, when } from "./api.js";
import { $, say } from "./dom.js";
import { form } from "./form.js";
import { list } from "./list.js";
import { run } from "./run.js";

const runs = list({ open, changed: (view) => { if (view.id === one.id) one.fresh(view); } });
const one = run({ again, cancel, back: leave, moved: () => void runs.look() });
const asked = form({ submitted: (view) => { void runs.look(); open(view.id); } });

// --- which run is shown: the address says it, so that it can be reloaded and sent to somebody ---------------------
const wanted = () => (location.hash.startsWith("#run/") ? decodeURIComponent(location.hash.slice(5)) : null);
function open(id, { focus = true } = {}) {
  if (wanted() !== id) history.pushState(null, "", `#run/${encodeURIComponent(id)}`);
  show(focus);
}
function show(focus = false) {
  const id = wanted();
  document.body.dataset.view = id ? "run" : "list";
  if (id === null) one.nothing();
  else if (one.shown !== id) one.show(id);
  one.shown = id;
  runs.choose(id);
  if (id && focus && matchMedia("(max-width: 1099px)").matches) {
    scrollTo(0, 0);
    $("run").focus({ preventScroll: true });
  }
}
function leave() {
  const left = wanted();
  if (wanted() !== null) history.pushState(null, "", location.pathname + location.search);
  show();
  runs.focus(left);
}
addEventListener("popstate", () => show());
addEventListener("hashchange", () => show());

// --- the server goes away, and comes back -----------------------------------------------------------------------
let away = false;
let known = false; // it answered once
when("down", () => {
  if (away) return; // the list asks again every few seconds
  away = true;
  trouble(known ? "The server does not answer. What is shown is how things stood." : "The server does not answer; is `retake serve` running?");
  say($("link"), "○ not connected, trying again");
});
when("up", () => {
  const back = away && known;
  known = true;
  if (!away) return;
  away = false;
  $("trouble").hidden = true;
  say($("link"), back ? "● connected again" : "");
  if (!asked.ready) void start();
});
function trouble(words) {
  say($("trouble").querySelector("p"), words);
  $("trouble").hidden = false;
}
$("again").addEventListener("click", () => void runs.look());

// --- the key ---------------------------------------------------------------------------------------------------
let answered = null;
when("key", (wrong, done) => {
  answered = done;
  say($("key-fault"), wrong ? "The server does not know this key." : "");
  $("key-fault").hidden = !wrong;
  $("key-forget").hidden = true;
  if (!$("key-dialog").open) $("key-dialog").showModal();
  $("key-input").focus();
});
$("key").addEventListener("click", () => {
  $("key-fault").hidden = true;
  $("key-forget").hidden = !key.value;
  $("key-dialog").showModal();
});
$("key-dialog").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("key-input").value.trim();
  if (!text || /[^!-~]/.test(text)) {
    say($("key-fault"), "A key is written in letters, digits and signs, without spaces.");
    $("key-fault").hidden = false;
    return;
  }
  key.value = text;
  $("key-input").value = "";
  $("key-dialog").close();
  $("key").hidden = false;
  const done = answered;
  answered = null;
  if (done) done();
  else location.reload();
});
$("key-dialog").addEventListener("cancel", (event) => { if (answered) event.preventDefault(); }); // nothing can be seen without
$("key-forget").addEventListener("click", () => { key.value = ""; location.reload(); });
$("key").hidden = !key.value;

// --- again, and cancel -----------------------------------------------------------------------------------------
async function again(view, look, how) {
  const seed = how === "seed" ? Math.floor(Math.random() * 2 ** 31) : look?.seed ?? view.request.seed;
  await asked.fill({ request: view.request, frame: look?.first_frame ?? null }, { seed });
  if (how === "change") {
    document.body.dataset.view = "list";
    $("form").scrollIntoView({ block: "start" });
    asked.focus();
  } else if (!(await asked.submit())) {
    document.body.dataset.view = "list"; // what is wrong stands at its field
    $("form").scrollIntoView({ block: "start" });
  }
}
function cancel(view) {
  say($("sure-why"), view.state === "queued" ? "It has not begun: nothing is lost." : "It ends as soon as its backend lets it. What was rendered and judged is kept, and the best clip so far stays.");
  $("sure").showModal();
}
$("sure").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("sure").close();
  one.cancelled().then(() => say($("said"), "The run is asked to stop."), (error) => say($("said"), error.message));
  void runs.look();
});
$("sure-no").addEventListener("click", () => $("sure").close());

// --- keys ------------------------------------------------------------------------------------------------------
function writing() {
  show();
  document.body.dataset.view = "list";
  scrollTo(0, 0);
  asked.focus();
}
function beside(by) {
  const id = runs.beside(by);
  if (!id) return;
  const { focused } = runs;
  open(id, { focus: false });
  if (focused) runs.focus(id); // Enter is for the run that is shown, and not for the row that had the focus
}
function iteration(by) {
  const section = one.iteration(by);
  section?.scrollIntoView({ block: "start" });
  section?.focus({ preventScroll: true });
}
const KEYS = {
  "/": writing, j: () => beside(1), k: () => beside(-1), r: () => one.act("change"), c: () => one.act("cancel"), " ": () => one.play(),
  ArrowRight: () => iteration(1), ArrowLeft: () => iteration(-1), "?": () => $("help").showModal(),
  Enter: () => { if (wanted() !== null) { document.body.dataset.view = "run"; $("run").focus(); $("run").scrollIntoView({ block: "start" }); } }, Escape: leave,
};
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const at = event.target;
  if (at.closest("input, textarea, select")) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const presses = at.closest("button:not([aria-current]), a, summary, video"); // Enter on the row of the run shown goes into it
  if (presses && (event.key === "Enter" || (event.key === " " && !at.closest("button.media")))) return; // what has the focus
  if (at.closest("video") && event.key.startsWith("Arrow")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat || "jk".includes(event.key)) act();
});
document.addEventListener("click", (event) => {
  const column = event.target.closest("a[data-iteration]");
  if (!column) return;
  event.preventDefault(); // the address is the run's
  const section = document.getElementById(`iteration-${column.dataset.iteration}`);
  section?.scrollIntoView({ block: "start" });
  section?.focus({ preventScroll: true });
});
$("new").addEventListener("click", writing);
$("keys").addEventListener("click", () => $("help").showModal());
$("help").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); $("help").close(); });

async function start() {
  try {
    await asked.load();
  } catch (error) {
    if (error instanceof Refusal) trouble(error.message);
    else if (!(error instanceof Away)) throw error;
  }
  show();
  void runs.look();
}
void start();
