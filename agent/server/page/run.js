// One run: its chosen clip and score, the prompt and what changed, its iterations, what it took, and what it tells.

import { Away, Refusal, ask, follow, read, send } from "./api.js";
import { forget, group } from "./clips.js";
import { $, all, keep, make, say } from "./dom.js";
import { iteration } from "./iteration.js";
import { about, hero } from "./parts.js";
import { strip } from "./strip.js";
import { LIVE, SIGNS, STATES, line, standing, time } from "./words.js";

const [MOST_LINES, SOON] = [500, 400]; // lines of events kept; ms that changes are gathered

/** `again(view, look, how)`: make it once more, how: "same", "seed" or "change". `cancel(view)`. `back()`. */
export function run({ again, cancel, back, moved }) {
  const root = $("run");
  let view = null; // as the API tells it
  let look = null; // as the page's own view of its folder
  let watch = null; // stops the stream
  let lines = [];
  let told = 0; // lines so far, those no longer kept included
  let renders = new Map(); // where each render stands, by seed
  let timer = 0;
  let busy = false;
  let wanted = false;
  let tries = 0;
  let parts = null;

  function frame() {
    const title = make("h2", {}, "");
    const state = make("p.status", { role: "status" });
    const doing = make("p.doing-line");
    const buttons = make("div.acts", { role: "group", "aria-label": "What to do with this run" });
    const problem = make("div.alarm", { hidden: true });
    const [top, across, iterations, ends] = [make("div"), make("div"), make("div.iterations"), make("div.ends")];
    const log = make("ol.events", { tabindex: "0", role: "log", "aria-label": "Events", "aria-live": "off" });
    const events = make("details.log", { id: "events", open: true, hidden: true }, make("summary", {}, "Events ", make("small")), log);
    const backwards = make("button.back", { type: "button", onclick: back }, "← All runs");
    root.replaceChildren(backwards, make("header.run-top", {}, title, state, doing, buttons), problem, top, across, iterations, ends, events);
    return { title, state, doing, buttons, problem, top, across, iterations, ends, log, events };
  }

  function show(id) {
    stop();
    forget();
    view = look = null;
    lines = [];
    renders = new Map();
    for (const name of ["--ratio", "--iterations"]) root.style.removeProperty(name);
    parts = frame();
    say(parts.title, "…");
    void open(id);
  }
  function nothing() {
    stop();
    forget();
    view = look = parts = null;
    root.replaceChildren(make("div.blank", {}, make("p.big", {}, "Nothing chosen"), make("p", {}, "Write a prompt and start a run, or choose one from the list: its clips play here side by side, with what the critic says of each.")));
  }
  function stop() {
    clearTimeout(timer);
    timer = 0;
    watch?.abort();
    watch = null;
  }

  async function open(id) {
    const mine = new AbortController();
    watch = mine;
    try {
      const found = await read(`v1/runs/${encodeURIComponent(id)}`, { signal: mine.signal });
      if (mine.signal.aborted) return;
      view = found;
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error instanceof Away) return void setTimeout(() => { if (watch === mine) void open(id); }, 2000);
      if (!(error instanceof Refusal)) throw error;
      missing(error.status === 404 ? "There is no such run here, or it was removed." : error.message);
      say(parts.title, "No run");
      return;
    }
    draw();
    await refresh();
    const refusal = await follow(`v1/runs/${encodeURIComponent(id)}/events`, { signal: mine.signal, over: () => !LIVE.has(view.state), on: (event, name) => (name === "state" || name === "end" ? fresh(event) : heard(event)) });
    if (refusal?.status === 404 && !mine.signal.aborted && LIVE.has(view.state)) missing("It is not here any more: it was removed, or is seen with another key. What is shown is how it stood.");
  }

  function missing(words) {
    parts.problem.hidden = false;
    parts.problem.replaceChildren(make("p", {}, words));
  }
  function heard(event) {
    if (event.type === "render_progressed") {
      renders.set(event.progress.seed, event.progress);
      pending();
    } else if (event.type === "render_finished") renders.set(event.clip.seed, { stage: "judging" });
    else if (event.type === "caption_ready") renders = new Map();
    const words = line(event);
    if (words) {
      told += 1;
      lines.push({ ...words, number: told });
      if (lines.length > MOST_LINES) lines.shift();
    }
    soon();
  }
  /** Gather what comes close together: a run that is over tells all of it at once. */
  function soon() {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; tell(); void refresh(); }, SOON);
  }
  /** The run stands elsewhere, by the list or by its own stream. */
  function fresh(now) {
    if (!view || now.id !== view.id) return;
    const over = LIVE.has(view.state) && !LIVE.has(now.state);
    view = now;
    draw();
    if (over) soon();
    if (over) moved(view);
  }

  /** Read the page's view of the run, once more where it was wanted meanwhile. */
  async function refresh() {
    wanted = true;
    if (busy) return;
    busy = true;
    try {
      while (wanted && view) {
        wanted = false;
        await renew(view.id);
      }
    } finally {
      busy = false;
    }
    const bare = look?.iterations.some((one) => one.candidates.some((each) => each.clip && !each.poster));
    tries = bare ? tries + 1 : 0;
    if (bare && tries <= 5) later(1500); // still pictures come a little after their clips
  }
  async function renew(id) {
    try {
      const reply = await ask(`v1/page/runs/${encodeURIComponent(id)}`);
      const found = reply.status === 200 ? await reply.json() : null;
      if (view?.id !== id) return void (wanted = true); // another run is shown by now
      look = found ?? look;
    } catch (error) {
      if (!(error instanceof Away || error instanceof Refusal)) throw error;
      if (error instanceof Away) later(2000);
    }
    if (view?.id === id) draw();
  }
  const later = (pause) => {
    const { id } = view ?? {};
    setTimeout(() => { if (id && view?.id === id) soon(); }, pause);
  };

  // --- what is shown ----------------------------------------------------------------------------------------
  function draw() {
    const live = LIVE.has(view.state);
    const word = view.state === "completed" && look && !look.running ? look.status : view.cancelling && live ? "stopping" : STATES[view.state];
    say(parts.title, view.request.prompt.slice(0, 300));
    parts.state.className = `status ${word.replaceAll(" ", "-")} ${view.state}`;
    say(parts.state, `${SIGNS[view.state]} ${word}`);
    say(parts.doing, [view.model, view.dialect === "runs" ? null : `by the ${view.dialect} dialect`, view.state === "queued" ? (view.position ? `${view.position} before it` : "next") : null, `handed in ${new Date(view.created_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" })}`].filter(Boolean).join(" · "));
    acts(live);
    parts.problem.hidden = view.problem === null || view.state !== "failed";
    if (view.problem) parts.problem.replaceChildren(make("p", {}, make("b", {}, "It failed: "), view.problem.message));
    if (!look) {
      keep(parts.top, [{ prompt: view.request.prompt, state: view.state, position: view.position, waits_for: view.waits_for }], () => "none", () => hero.waiting(view));
      return;
    }
    root.style.setProperty("--ratio", `${look.shape[0]}/${look.shape[1]}`);
    root.style.setProperty("--iterations", Math.max(1, look.iterations.length));
    const { iterations, ledger, differences, notes, files, standing: limits, forecast, lost_seconds, report, ...first } = look;
    const gone = look.running && !live && view.state !== "completed"; // its folder never came to an end: why is said above
    const shown = { ...first, ...(gone ? { running: false, sentence: "" } : {}), notes, took: view.cost.gpu_seconds, price: look.price_usd, state: view.state, begun: iterations.length, ledger };
    hero.draw(parts.top, shown);
    keep(parts.across, iterations.length ? [{ iterations: iterations.map(bare), accept_at: look.accept_at, calibrated: look.calibrated }] : [], () => "strip", () => strip(look));
    keep(parts.iterations, iterations, (one) => one.number, (one) => iteration(one, look, reuse(one)));
    keep(parts.ends, [{ ledger, price: look.price_usd, differences, files, limits, forecast, lost_seconds, report, safety: view.result?.safety ?? null }], () => "about", about);
    pending();
  }
  const bare = (one) => ({ number: one.number, tier: one.tier, best: one.best, pending: one.pending, failures: one.failures.length, candidates: one.candidates.map((c) => [c.seed, c.score, c.chosen, c.floors_hold]) });
  /** The section of an iteration as it stands, for its cards to be kept. */
  const reuse = (one) => [...parts.iterations.children].find((child) => child.dataset.key === String(one.number)) ?? null;

  function pending() {
    for (const card of all("[data-pending]", root)) {
      const known = renders.get(Number(card.dataset.pending));
      say(card.querySelector(".stands"), known ? (known.stage === "judging" ? "rendered, being judged" : standing(known)) : "waits to be rendered");
      const bar = card.querySelector("progress");
      bar.hidden = !(known?.step && known.steps);
      if (!bar.hidden) [bar.value, bar.max] = [known.step, known.steps];
    }
  }

  function tell() {
    const { log } = parts;
    parts.events.hidden = !lines.length;
    const below = log.scrollHeight - log.scrollTop - log.clientHeight < 24; // somebody reads further up otherwise
    keep(log, lines, (each) => each.number, (each) => make(each.bad ? "li.bad" : "li", {}, make("time", { datetime: each.at }, time(each.at)), make("span", { dir: "auto" }, each.words)));
    say(parts.events.querySelector("small"), lines.length ? String(lines.length) : "");
    if (below) log.scrollTop = log.scrollHeight;
  }

  function acts(live) {
    const words = [];
    if (live) words.push(["cancel", view.cancelling ? "Stopping …" : "Cancel", "danger", view.cancelling]);
    words.push(["same", "Run again", ""], ["seed", "With a new seed", ""], ["change", "Change and run", ""]);
    const items = words.map(([what, text, kind, off]) => ({ what, text, kind, off: Boolean(off), id: view.id }));
    if (look?.report) items.push({ what: "report", text: "Report", url: look.report });
    keep(parts.buttons, items, (item) => item.what, (item) => (item.url
      ? make("a.button", { href: item.url, target: "_blank", rel: "noopener" }, item.text)
      : make(item.kind ? `button.${item.kind}` : "button", { type: "button", "data-act": item.what, disabled: item.off, onclick: () => act(item.what) }, item.text)));
  }
  function act(what) {
    if (!view) return;
    if (what === "cancel") {
      if (LIVE.has(view.state) && !view.cancelling) cancel(view);
    } else again(view, look, what);
  }

  return {
    show, nothing, fresh, act,
    get id() { return view?.id ?? null; },
    async cancelled() {
      fresh(await send(`v1/runs/${encodeURIComponent(view.id)}/cancel`, {}));
    },
    /** The iteration that is looked at, or so many after it. */
    iteration(by = 0) {
      const sections = all("section.iteration", root);
      if (!sections.length) return null;
      const focused = sections.indexOf(document.activeElement?.closest?.("section.iteration"));
      const at = focused >= 0 ? focused : by ? sections.findLastIndex((one) => one.getBoundingClientRect().top < innerHeight / 3) : Math.max(0, sections.findIndex((one) => one.getBoundingClientRect().bottom > innerHeight / 3));
      return sections[Math.min(Math.max(at + by, 0), sections.length - 1)];
    },
    play() {
      const section = this.iteration();
      if (section) group(section).toggle();
    },
  };
}
