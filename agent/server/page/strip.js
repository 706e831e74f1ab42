// The run at a glance: one column an iteration, each candidate a dot at its score, failures as crosses.

import { draw, make } from "./dom.js";
import { bound, count, score } from "./words.js";

const [TOP, BOTTOM, FAILED, HEIGHT] = [12, 88, 104, 132];

export function strip(look) {
  const shown = look.iterations.flatMap((one) => one.candidates.map((candidate) => candidate.score));
  if (look.accept_at !== null) shown.push(look.accept_at);
  const low = Math.max(0, Math.floor(Math.min(...(shown.length ? shown : [0])) * 20 - 0.5) / 20);
  const height = (value) => BOTTOM - ((BOTTOM - TOP) * (value - low)) / (1 - low);
  const width = 100 / look.iterations.length;
  const best = {};
  const across = (x) => `${x.toFixed(2)}%`;
  const level = (x1, x2, y1, y2, draft) => draw("line", { class: draft ? "draft" : null, x1: across(x1), x2: across(x2), y1, y2 });
  const lines = [];
  const columns = look.iterations.map((one, index) => {
    const left = index * width;
    const seeds = [...one.candidates.map((c) => c.seed), ...one.failures.map((f) => f.seed), ...one.pending].sort((a, b) => a - b);
    const place = (seed) => left + width * (0.2 + (0.6 * (seeds.indexOf(seed) + 0.5)) / seeds.length);
    const draft = one.tier === "draft";
    if (one.best !== null) {
      const before = best[one.tier];
      best[one.tier] = Math.max(one.best, before ?? 0);
      if (before !== undefined && before < one.best) lines.push(level(left, left, height(before), height(one.best), draft));
    }
    for (const [tier, value] of Object.entries(best)) lines.push(level(left, left + width, height(value), height(value), tier === "draft"));
    const dots = one.candidates.map((c) => draw("circle", { class: `mark ${c.chosen ? "chosen" : c.floors_hold ? "held" : "broken"}`, cx: across(place(c.seed)), cy: height(c.score), r: c.chosen ? 5 : draft ? 3 : 4 },
      draw("title", {}, `seed ${c.seed}: ${score(c.score)}`)));
    const crosses = one.failures.filter((f) => f.failed).map((f) => draw("svg", { x: across(place(f.seed)), y: FAILED - 4, overflow: "visible" }, draw("path", { class: "failed", d: "M-4 0 L4 8 M4 0 L-4 8" }), draw("title", {}, `seed ${f.seed}: ${f.what}`)));
    const waiting = one.pending.map((seed) => draw("circle", { class: "mark waiting", cx: across(place(seed)), cy: FAILED, r: 3.5 }));
    const failed = one.failures.filter((f) => f.failed).length;
    const words = [`Iteration ${one.number}`, draft && "drafts", one.best !== null && `best ${score(one.best)}`, count(one.candidates.length, "candidate"), failed && `${failed} failed`, one.pending.length && `${one.pending.length} in progress`];
    return draw("a", { class: "column", href: `#iteration-${one.number}`, "data-iteration": one.number, "aria-label": words.filter(Boolean).join(", ") },
      draw("rect", { x: across(left), width: across(width), y: 0, height: HEIGHT }), dots, crosses, waiting,
      draw("text", { x: across(left + width / 2), y: 126, "text-anchor": "middle" }, String(one.number)));
  });
  const threshold = look.accept_at === null ? null : draw("line", { class: "threshold", x1: 0, x2: "100%", y1: height(look.accept_at), y2: height(look.accept_at) });
  const ground = [TOP, BOTTOM].map((y) => draw("line", { class: "ground", x1: 0, x2: "100%", y1: y, y2: y }));
  const scale = draw("svg", { class: "scale", width: 34, height: HEIGHT, "aria-hidden": "true" }, draw("text", { x: 30, y: 16, "text-anchor": "end" }, "1.00"), draw("text", { x: 30, y: 92, "text-anchor": "end" }, score(low)));
  const plot = draw("svg", { class: "plot", height: HEIGHT, role: "group", "aria-label": "Score of every candidate by iteration" }, ground, threshold, columns, draw("g", { class: "best" }, lines));
  const key = make("ul.key", { "aria-label": "Legend" },
    sign(draw("circle", { class: "mark chosen", cx: 8, cy: 6, r: 5 }), "chosen"),
    sign(draw("circle", { class: "mark held", cx: 8, cy: 6, r: 4 }), "candidate"),
    sign(draw("circle", { class: "mark broken", cx: 8, cy: 6, r: 4 }), "below a floor"),
    sign(draw("path", { class: "failed", d: "M4 2 L12 10 M12 2 L4 10" }), "failed"),
    sign(draw("line", { class: "step", x1: 0, x2: 16, y1: 6, y2: 6 }), "best so far"),
    look.accept_at === null ? null : sign(draw("line", { class: "threshold", x1: 0, x2: 16, y1: 6, y2: 6 }), `threshold ${bound(look.accept_at)}${look.calibrated ? "" : ", uncalibrated"}`));
  return make("nav.strip", { "aria-label": "Iterations" }, scale, make("div.scroll", {}, plot), key);
}
const sign = (shape, words) => make("li", {}, draw("svg", { width: 16, height: 12, "aria-hidden": "true" }, shape), words);
