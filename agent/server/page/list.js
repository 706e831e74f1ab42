// The queue and the runs, the newest first: asked for again every few seconds while somebody looks.

import { Away, Refusal, read } from "./api.js";
import { $, all, keep, make, say } from "./dom.js";
import { LIVE, SIGNS, STATES, ago, bound, count, money, score, span } from "./words.js";

const [PAGE, QUICK, SLOW] = [30, 1500, 5000];

/** `open(id)`: a run is chosen. `changed(view)`: the chosen one stands elsewhere. */
export function list({ open, changed }) {
  let runs = [];
  let state = "";
  let wanted = PAGE;
  let chosen = null;
  let timer = 0;
  let turn = 0; // an answer to an earlier question is dropped
  let failed = "";

  const seconds = (run) => (run.started_at ? (new Date(run.ended_at ?? Date.now()) - new Date(run.started_at)) / 1000 : null);

  async function look() {
    clearTimeout(timer);
    const mine = ++turn;
    let pause = 0;
    try {
      const found = [];
      let after = null;
      do {
        const query = new URLSearchParams({ limit: String(Math.min(100, wanted - found.length)) });
        if (state) query.set("states", state);
        if (after) query.set("after", after);
        const part = await read(`v1/runs?${query}`);
        found.push(...part.data);
        after = part.has_more ? part.next : null;
      } while (after && found.length < wanted);
      if (mine !== turn) return;
      runs = found;
      failed = "";
      $("more").hidden = after === null;
    } catch (error) {
      if (mine !== turn) return;
      if (!(error instanceof Away || error instanceof Refusal)) throw error;
      if (error instanceof Refusal) failed = error.message;
      else pause = QUICK;
    } finally {
      if (mine === turn) {
        draw();
        timer = setTimeout(() => (document.hidden ? undefined : look()), pause || (runs.some((run) => LIVE.has(run.state)) ? QUICK : SLOW));
      }
    }
    const mineNow = runs.find((run) => run.id === chosen);
    if (mineNow) changed(mineNow);
  }

  function row(run) {
    const { state: at, score: best, threshold, accepted } = run;
    const facts = [run.model, run.dialect === "runs" ? null : run.dialect, run.seconds, run.price];
    const figure = best === null ? null : make("b.best", { title: threshold === null ? null : `threshold ${bound(threshold)}` }, score(best), accepted ? make("span.good", { "aria-hidden": "true" }, " ✓") : null);
    return make("li", {}, make("button.row", { type: "button", "data-id": run.id, "aria-current": run.here ? "true" : null, onclick: () => open(run.id) },
      make("span.what", { dir: "auto" }, run.prompt || "(no prompt)"),
      figure && make("span.score", {}, make("span.unseen", {}, "best score "), figure, accepted ? make("span.unseen", {}, ", accepted") : null),
      make("span.facts", {}, make(`span.state.${at}`, {}, make("span", { "aria-hidden": "true" }, `${SIGNS[at]} `), run.cancelling && LIVE.has(at) ? "stopping" : at === "queued" ? run.place : run.done ? `${STATES[at]}, ${run.done} %` : STATES[at]),
        facts.filter(Boolean).map((fact) => make("span", {}, fact)), make("time", { datetime: run.created }, run.ago))));
  }

  function draw() {
    const items = runs.map((run) => ({
      id: run.id, state: run.state, cancelling: run.cancelling, prompt: run.request.prompt, model: run.model, dialect: run.dialect,
      score: run.progress.score, threshold: run.result?.threshold ?? null, accepted: run.result?.accepted ?? false,
      done: run.state === "running" && run.progress.done ? Math.round(100 * run.progress.done) : 0,
      place: run.waits_for ? "waiting for its backend" : run.position ? `waiting, ${run.position} before it` : "waiting, next",
      seconds: seconds(run) === null ? null : run.state === "running" ? span(Math.round(seconds(run))).replace(".0 s", " s") : span(seconds(run)),
      price: run.cost.price_usd === null ? null : money(run.cost.price_usd), created: run.created_at, ago: ago(run.created_at), here: run.id === chosen,
    }));
    keep($("list"), items, (run) => run.id, row);
    const word = all("[data-state]", $("filters")).find((button) => button.dataset.state === state).textContent.toLowerCase();
    $("none").hidden = runs.length > 0;
    say($("none"), failed || (state ? `No run is ${word}.` : "No run yet. Write a prompt above: it starts as soon as there is room."));
    const waiting = runs.filter((run) => run.state === "queued").length;
    const running = runs.filter((run) => run.state === "running").length;
    if (!state) {
      say($("counts"), running || waiting ? [running && `${running} running`, waiting && `${waiting} waiting`].filter(Boolean).join(", ") : runs.length ? count(runs.length, "run") : "");
      document.title = running ? `● ${running} running · Retake` : "Retake";
    }
  }

  $("filters").addEventListener("click", (event) => {
    const button = event.target.closest("[data-state]");
    if (!button) return;
    ({ state } = button.dataset);
    wanted = PAGE;
    all("[data-state]", $("filters")).forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    void look();
  });
  $("more").addEventListener("click", () => { wanted += PAGE; void look(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void look(); });

  return {
    look,
    get chosen() { return chosen; },
    choose(id) {
      chosen = id;
      draw();
      all("[aria-current]", $("list"))[0]?.scrollIntoView({ block: "nearest" });
    },
    /** The run so many places further down, from the chosen one or the one that has the focus; the first where there is neither. */
    beside(by) {
      const from = chosen ?? (this.focused ? document.activeElement.dataset.id : null);
      const at = runs.findIndex((run) => run.id === from);
      return (at < 0 ? runs[0] : runs[Math.min(Math.max(at + by, 0), runs.length - 1)])?.id ?? null;
    },
    get focused() { return $("list").contains(document.activeElement); },
    /** Focus a run's row; the first one where it is not in the list. */
    focus(id) {
      const rows = all("button.row", $("list"));
      (rows.find((row) => row.dataset.id === id) ?? rows[0])?.focus();
    },
  };
}
