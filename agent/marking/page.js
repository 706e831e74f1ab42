import { player } from "./clips.js";
import { outbox } from "./saving.js";

const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const store = {
  // a tab's place; cookies, and not storage, for the name: the port is another at each start, and cookies span ports
  get place() { try { return JSON.parse(sessionStorage.getItem("retake-mark")) ?? {}; } catch { return {}; } },
  set place(value) { try { sessionStorage.setItem("retake-mark", JSON.stringify(value)); } catch { /* none here */ } },
  get name() {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith("retake-rater="));
    try { return found === undefined ? null : decodeURIComponent(found.slice(13)); } catch { return null; }
  },
  set name(value) { document.cookie = `retake-rater=${encodeURIComponent(value)}; Path=/; SameSite=Strict; Max-Age=31536000`; },
};

let runs = [];
let clips = []; // every candidate that can be seen, as { run, candidate }
let pairs = []; // every pair, as { run, pair, left, right }
let at = 0;
let pairAt = 0;
let comparing = false;
let scores = false;
let rater = "";
const screen = player($("screen"), $("play"));
const done = []; // what can be undone, as { kind, item, before }

// --- what is shown -------------------------------------------------------------------------------------------
const same = (a, b) => a.iteration === b.iteration && a.seed === b.seed;
const items = () => (comparing ? pairs : clips);
const here = () => (comparing ? pairs[pairAt] : clips[at]);
const marked = (item) => (item.pair ? item.pair.label !== null : item.candidate.rating !== null || item.candidate.verdict !== null);
const many = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
const told = (list) => (comparing ? `${list.filter(marked).length} of ${many(list.length, "pair")} compared` : `${list.filter(marked).length.toLocaleString("en")} of ${list.length.toLocaleString("en")} marked`);
const mine = (run) => items().filter((item) => item.run === run);
const press = (button, on) => button.setAttribute("aria-pressed", String(on));

function take(view) {
  runs = view.runs;
  clips = runs.flatMap((run) => run.candidates.filter((candidate) => candidate.clip).map((candidate) => ({ run, candidate })));
  pairs = runs.flatMap((run) => run.pairs.map((pair) => {
    const [first, second] = [pair.first, pair.second].map((entrant) => run.candidates.find((c) => same(c.entrant, entrant)));
    return { run, pair, left: pair.swapped ? second : first, right: pair.swapped ? first : second };
  }));
}

function draw() {
  const item = here();
  const nothing = clips.length === 0;
  $("empty").hidden = !nothing;
  $("marking").hidden = nothing;
  $("all-progress").textContent = nothing ? "" : told(items());
  if (nothing) {
    const notes = runs.flatMap((run) => run.notes);
    $("empty").textContent = ["There is no candidate to mark yet; load this page again when a run has rendered one.", ...notes].join(" ");
    return;
  }
  const run = item ? item.run : clips[at].run;
  press($("compare"), comparing);
  press($("score"), scores);
  $("rater").textContent = rater || "No name";
  $("screen").classList.toggle("two", comparing);
  $("right").hidden = !comparing;
  $("rating").hidden = $("verdict").hidden = comparing;
  $("better").hidden = !comparing;
  show($("left"), comparing ? item?.left : item.candidate, comparing ? "The left clip" : "The clip");
  show($("right"), comparing ? item?.right : null, "The right clip");
  for (const button of all("[data-kind]")) {
    press(button, item !== undefined && value(item, button.dataset.kind) === labelOf(button, item));
    button.disabled = item === undefined;
  }
  $("undo").disabled = done.length === 0;
  const own = mine(run);
  const place = own.indexOf(item);
  $("where").textContent = item === undefined
    ? "No two candidates of a run can be compared: each run has one, or all are the same clip."
    : `${comparing ? "Pair" : "Candidate"} ${place + 1} of ${own.length}, run ${runs.indexOf(run) + 1} of ${runs.length}${run.running ? ", still running" : ""}`;
  $("prompt").textContent = run.prompt;
  const frame = $("first-frame");
  frame.hidden = run.first_frame === null;
  if (run.first_frame !== null && frame.querySelector("img").getAttribute("src") !== run.first_frame) frame.querySelector("img").src = run.first_frame;
  const missing = run.candidates.filter((candidate) => !candidate.clip).length;
  const lost = missing ? [`${many(missing, "clip")} of this run ${missing === 1 ? "is" : "are"} gone and cannot be marked.`] : [];
  $("notes").replaceChildren(...[...run.notes, ...lost].map((note) => element("li", note)));
  drawDots(own, item);
  drawRuns(run);
  store.place = { run: run.index, entrant: clips[at].candidate.entrant, comparing, pair: item?.pair?.first && [item.pair.first, item.pair.second] };
}

function show(side, candidate, name) {
  const video = side.querySelector("video");
  const words = side.querySelector("figcaption");
  video.setAttribute("aria-label", name);
  screen.set(video, candidate ? candidate.clip : null);
  if (!candidate) {
    words.textContent = "";
    return;
  }
  const what = `score ${candidate.score.toFixed(2)} · iteration ${candidate.entrant.iteration + 1}, seed ${candidate.entrant.seed} · ${candidate.size}${candidate.draft ? " · a draft" : ""}`;
  words.textContent = scores ? what : comparing ? (side.id === "left" ? "left" : "right") : "";
}

function drawDots(own, item) {
  $("dots").setAttribute("aria-label", comparing ? "Pairs of this run" : "Candidates of this run");
  const focused = $("dots").contains(document.activeElement);
  $("dots").replaceChildren(...own.map((each, index) => {
    const said = each.pair ? "" : each.candidate.rating ?? (each.candidate.verdict === null ? "" : each.candidate.verdict ? "✓" : "✕");
    const button = element("button", each.pair && marked(each) ? "●" : String(said || "·"));
    button.type = "button";
    button.setAttribute("aria-label", `${each.pair ? "Pair" : "Candidate"} ${index + 1}, ${marked(each) ? "marked" : "unmarked"}`);
    button.classList.toggle("marked", marked(each));
    if (each === item) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => go(items().indexOf(each)));
    return wrapped("li", button);
  }));
  if (focused) $("dots").querySelector("[aria-current]")?.focus();
}

function drawRuns(current) {
  const list = $("runs");
  const scroll = list.scrollTop;
  const focused = list.contains(document.activeElement);
  list.replaceChildren(...runs.map((run) => {
    const own = mine(run);
    const button = element("button", run.prompt || run.name);
    button.type = "button";
    button.title = run.name;
    button.disabled = own.length === 0;
    button.addEventListener("click", () => go(items().indexOf(own[0])));
    const row = wrapped("li", button, element("span", own.length ? `${own.filter(marked).length} of ${own.length}` : run.notes.length ? "unreadable" : run.running ? "nothing yet" : comparing ? "no pair" : run.candidates.length ? "clips gone" : "no candidate"));
    if (run.report) {
      const link = element("a", "report");
      link.href = run.report;
      link.target = "_blank";
      link.rel = "noopener";
      link.setAttribute("aria-label", `Report of ${run.name}`);
      row.append(link);
    }
    if (run === current) {
      row.dataset.here = "";
      button.setAttribute("aria-current", "true");
    }
    return row;
  }));
  list.scrollTop = scroll;
  if (focused) list.querySelector("[aria-current]")?.focus();
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
function wrapped(name, ...inner) {
  const made = document.createElement(name);
  made.append(...inner);
  return made;
}

// --- going about ---------------------------------------------------------------------------------------------
function go(index) {
  const count = items().length;
  if (!count) return;
  const to = Math.min(Math.max(index, 0), count - 1);
  if (comparing) pairAt = to;
  else at = to;
  if (!saving.waiting) say("");
  draw();
}
const step = (by) => go((comparing ? pairAt : at) + by);
function unmarked() {
  const list = items();
  const from = comparing ? pairAt : at;
  const index = list.findIndex((item, n) => n > from && !marked(item));
  const found = index >= 0 ? index : list.findIndex((item) => !marked(item));
  if (found < 0) say(comparing ? "All pairs are compared." : "All candidates are marked.");
  else go(found);
}
function compare() {
  const run = here()?.run ?? clips[at].run;
  comparing = !comparing;
  const first = items().findIndex((item) => item.run === run);
  if (comparing && first >= 0 && pairs[pairAt]?.run !== run) pairAt = first;
  if (!comparing && clips[at].run !== run) at = first;
  if (!saving.waiting) say("");
  draw();
}

// --- marks -----------------------------------------------------------------------------------------------------
const value = (item, kind) => (item.pair ? (kind === "pair" ? item.pair.label : undefined) : kind === "pair" ? undefined : item.candidate[kind]);
function put(item, kind, label) {
  if (item.pair) item.pair.label = label;
  else item.candidate[kind] = label;
  draw();
}
function labelOf(button, item) {
  const { label, side } = button.dataset;
  if (label !== undefined) return Number(label);
  if (side === "tie") return 0.5;
  return item?.pair && (side === "left") === item.pair.swapped ? 0 : 1;
}

function mark(kind, label) {
  const item = here();
  if (!item) return say("");
  // the same again is sent as well: another tab may have said something else since this one was loaded
  if (value(item, kind) !== label) done.push({ item, kind, before: value(item, kind) });
  send(item, kind, label);
}
function undo() {
  const last = done.pop();
  if (!last) return say("Nothing to take back.");
  comparing = Boolean(last.item.pair);
  if (comparing) pairAt = pairs.indexOf(last.item);
  else at = clips.indexOf(last.item);
  send(last.item, last.kind, last.before);
}
function send(item, kind, label) {
  const [first, second] = item.pair ? (item.pair.swapped ? [item.right, item.left] : [item.left, item.right]) : [item.candidate, null];
  const body = {
    run: item.run.index, kind, first: first.entrant, first_sha256: first.sha256,
    second: second && second.entrant, second_sha256: second && second.sha256, label, rater,
  };
  saving.send(item, kind, body, value(item, kind));
}
function refused(item, kind) {
  const undone = done.findLastIndex((each) => each.item === item && each.kind === kind);
  if (undone >= 0) done.splice(undone, 1);
  draw();
}

function say(text) { $("said").textContent = text; }
function trouble(text, again) {
  $("trouble").querySelector("p").textContent = text;
  $("again").hidden = !again;
  $("trouble").hidden = false;
}
const calm = () => { $("trouble").hidden = true; };
const saving = outbox({ put, refused, say, trouble, calm });
addEventListener("beforeunload", (event) => { if (saving.waiting) event.preventDefault(); });

// --- keys and buttons ------------------------------------------------------------------------------------------
const choose = (side) => { const button = document.querySelector(`[data-side=${side}]`); if (here()) mark("pair", labelOf(button, here())); };
const common = {
  n: unmarked, u: undo, b: compare, s: () => { scores = !scores; draw(); }, r: saving.again, j: () => step(1), k: () => step(-1),
  "?": () => $("help").showModal(), " ": screen.playOrPause,
};
const single = { p: () => mark("verdict", 1), f: () => mark("verdict", 0), ArrowLeft: () => step(-1), ArrowRight: () => step(1) };
for (const label of [1, 2, 3, 4, 5]) single[label] = () => mark("rating", label);
const double = {
  1: () => choose("left"), ArrowLeft: () => choose("left"), 2: () => choose("right"), ArrowRight: () => choose("right"),
  0: () => choose("tie"), t: () => choose("tie"),
};
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === " " && event.target.closest("button, a, input")) return; // it presses what has the focus
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = (comparing ? double : single)[name] ?? common[name];
  if (!act || (clips.length === 0 && name !== "?")) return;
  event.preventDefault();
  if (!event.repeat || name.startsWith("Arrow") || name === "j" || name === "k") act();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-kind]");
  if (button && here()) mark(button.dataset.kind, labelOf(button, here()));
  if (event.detail > 0 && event.target.closest("button")) event.target.closest("button").blur(); // the space bar plays again
});
const on = (id, act) => $(id).addEventListener("click", act);
on("compare", compare);
on("score", common.s);
on("keys", common["?"]);
on("again", saving.again);
on("previous", common.k);
on("next", common.j);
on("play", screen.playOrPause);
on("unmarked", unmarked);
on("undo", undo);
on("screen", (event) => { if (event.target.closest("video")) screen.playOrPause(); });
$("help").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); $("help").close(); });
$("help").addEventListener("keydown", (event) => { if (event.key === "?") { event.preventDefault(); event.stopPropagation(); $("help").close(); } });

// --- who, and what there is ------------------------------------------------------------------------------------
async function load() {
  const kept = store.place;
  let reply;
  try {
    reply = await fetch(`api/runs?rater=${encodeURIComponent(rater)}`);
    if (!reply.ok) throw new Error(await reply.text());
  } catch (error) {
    return trouble(`The runs cannot be had: ${error.message || "`retake mark` does not answer"}`, false);
  }
  const view = await reply.json();
  take(view);
  scores = !view.blind;
  comparing = Boolean(kept.comparing) && pairs.length > 0;
  at = Math.max(0, clips.findIndex((item) => item.run.index === kept.run && kept.entrant && same(item.candidate.entrant, kept.entrant)));
  pairAt = Math.max(0, pairs.findIndex((item) => item.run.index === kept.run && kept.pair && same(item.pair.first, kept.pair[0]) && same(item.pair.second, kept.pair[1])));
  done.length = 0;
  draw();
  return view;
}
function ask() {
  if (saving.waiting) return trouble("First the marks that wait must be saved: they are yours.", true);
  $("name").value = rater;
  $("who").showModal();
  $("name").select();
}
on("rater", ask);
$("who").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); $("who").close(); });
$("who").addEventListener("cancel", () => { $("name").value = rater; });
$("who").addEventListener("close", () => {
  rater = $("name").value.split(/\s+/).filter(Boolean).join(" ");
  store.name = rater;
  void load();
});
rater = store.name ?? "";
void load().then((view) => {
  if (!view) return;
  if (view.rater !== null && view.rater !== rater) {
    rater = view.rater; // the command line's word
    void load();
  } else if (view.rater === null && store.name === null) ask();
});
