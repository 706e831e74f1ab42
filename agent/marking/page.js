"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
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
  let playing = !calm.matches;
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
    if (!candidate) {
      video.removeAttribute("src");
      video.load();
      words.textContent = "";
      return;
    }
    if (video.getAttribute("src") !== candidate.clip) {
      side.querySelector(".gone").hidden = true;
      video.src = candidate.clip;
      restart();
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
      const row = wrapped("li", button, element("span", own.length ? `${own.filter(marked).length} of ${own.length}` : run.notes.length ? "unreadable" : run.running ? "nothing yet" : comparing ? "no pair" : "no candidate"));
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

  // --- clips: two play in step, the right one after the left -----------------------------------------------------
  const LAG = 0.08; // seconds that the right clip may be off before it is set right
  const videos = () => all("#screen video").filter((video) => video.getAttribute("src"));
  const ready = (video) => video.readyState > 2 || video.error;

  function restart() {
    for (const video of videos()) video.pause();
    queueMicrotask(begin);
  }
  function begin() {
    const shown = videos();
    if (!playing || !shown.every(ready)) return; // each asks again when it can play
    for (const video of shown) {
      if (shown.length > 1 && video.paused) video.currentTime = shown[0].paused ? 0 : shown[0].currentTime;
      video.play().catch(() => {}); // a browser may refuse: its first picture stays
    }
  }
  for (const video of all("#screen video")) {
    video.addEventListener("loadedmetadata", () => { if (video.videoHeight) $("screen").style.setProperty("--ratio", video.videoWidth / video.videoHeight); });
    video.addEventListener("canplay", () => { if (video.paused) begin(); });
    video.addEventListener("error", () => {
      if (!video.getAttribute("src")) return;
      const gone = video.parentElement.querySelector(".gone");
      gone.textContent = "The clip is missing, or this browser cannot play it.";
      gone.hidden = false;
      begin();
    });
  }
  function follow() {
    const [first, second] = videos();
    if (second && !first.paused && !second.seeking && !first.seeking && second.readyState > 1) {
      const off = Math.abs(second.currentTime - first.currentTime);
      const turning = off > (first.duration || 0) / 2; // one has begun again, the other will at once
      if (off > LAG && !turning) second.currentTime = Math.min(first.currentTime, Math.max(0, second.duration - 0.05));
    }
    requestAnimationFrame(follow);
  }
  requestAnimationFrame(follow);
  function playOrPause() {
    playing = !playing;
    if (playing) begin();
    else for (const video of videos()) video.pause();
    $("play").textContent = playing ? "Pause" : "Play";
  }

  // --- going about ---------------------------------------------------------------------------------------------
  function go(index) {
    const count = items().length;
    if (!count) return;
    const to = Math.min(Math.max(index, 0), count - 1);
    if (comparing) pairAt = to;
    else at = to;
    if (!unsent.length) say("");
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
    if (!unsent.length) say("");
    draw();
  }

  // --- marks: sent one after the other, and kept here until they are saved --------------------------------------
  const unsent = []; // as { key, item, kind, body, before }
  let sending = false;

  const value = (item, kind) => (item.pair ? (kind === "pair" ? item.pair.label : undefined) : kind === "pair" ? undefined : item.candidate[kind]);
  const put = (item, kind, label) => { if (item.pair) item.pair.label = label; else item.candidate[kind] = label; };
  function labelOf(button, item) {
    const { label, side } = button.dataset;
    if (label !== undefined) return Number(label);
    if (side === "tie") return 0.5;
    return item?.pair && (side === "left") === item.pair.swapped ? 0 : 1;
  }

  function mark(kind, label) {
    const item = here();
    if (!item || value(item, kind) === label) return say(item ? "Marked so already." : "");
    done.push({ item, kind, before: value(item, kind) });
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
    const key = JSON.stringify([body.run, kind, body.first, body.second, rater]);
    const waiting = unsent.findIndex((each, index) => each.key === key && !(sending && index === 0));
    const before = waiting >= 0 ? unsent.splice(waiting, 1)[0].before : value(item, kind);
    unsent.push({ key, item, kind, body, before });
    put(item, kind, label);
    draw();
    say("Saving …");
    void empty();
  }
  async function empty() {
    if (sending) return;
    sending = true;
    try {
      while (unsent.length) {
        const next = unsent[0];
        const failure = await post(next.body);
        if (failure && failure.again) return trouble(`Not saved: ${failure.why} ${many(unsent.length, "mark")} ${unsent.length === 1 ? "waits" : "wait"} in this page.`, true);
        unsent.shift();
        if (failure) {
          refuse(next);
          draw();
          say("Not saved.");
          trouble(`Not saved: ${failure.why}`, false);
        } else {
          if (!unsent.length) say(words(next));
          if (!$("again").hidden || !unsent.length) $("trouble").hidden = true;
        }
      }
    } finally {
      sending = false;
    }
  }
  function refuse({ key, item, kind, before }) {
    const later = unsent.find((each) => each.key === key);
    if (later) later.before = before;
    else put(item, kind, before);
    const undone = done.findLastIndex((each) => each.item === item && each.kind === kind);
    if (undone >= 0) done.splice(undone, 1);
  }
  async function post(body) {
    let reply;
    try {
      reply = await fetch("api/marks", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    } catch {
      return { again: true, why: "`retake mark` does not answer; is it still running?" };
    }
    if (reply.ok) return null;
    const why = await reply.json().then((said) => said.error, () => `the server answered ${reply.status}.`);
    return { again: reply.status >= 500, why };
  }
  function words({ kind, body, item }) {
    const when = new Date().toLocaleTimeString();
    if (body.label === null) return `Taken back, ${when}.`;
    const what = { rating: `${body.label} of 5`, verdict: body.label ? "pass" : "fail", pair: body.label === 0.5 ? "a tie" : (body.label === 1) !== item.pair?.swapped ? "left is better" : "right is better" }[kind];
    return `Saved: ${what}, ${when}.`;
  }
  function say(text) { $("said").textContent = text; }
  function trouble(text, again) {
    if (again) say("Not saved.");
    $("trouble").querySelector("p").textContent = text;
    $("again").hidden = !again;
    $("trouble").hidden = false;
  }
  addEventListener("beforeunload", (event) => { if (unsent.length) event.preventDefault(); });

  // --- keys and buttons ------------------------------------------------------------------------------------------
  const choose = (side) => { const button = document.querySelector(`[data-side=${side}]`); if (here()) mark("pair", labelOf(button, here())); };
  const common = {
    n: unmarked, u: undo, b: compare, s: () => { scores = !scores; draw(); }, r: empty, j: () => step(1), k: () => step(-1),
    "?": () => $("help").showModal(), " ": playOrPause,
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
  on("again", empty);
  on("previous", common.k);
  on("next", common.j);
  on("play", playOrPause);
  on("unmarked", unmarked);
  on("undo", undo);
  on("screen", (event) => { if (event.target.closest("video")) playOrPause(); });
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
    if (unsent.length) return trouble("First the marks that wait must be saved: they are yours.", true);
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
  $("play").textContent = playing ? "Pause" : "Play";
  rater = store.name ?? "";
  void load().then((view) => {
    if (!view) return;
    if (view.rater !== null && view.rater !== rater) {
      rater = view.rater; // the command line's word
      void load();
    } else if (view.rater === null && store.name === null) ask();
  });
})();
