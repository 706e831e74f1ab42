// An iteration: its candidates side by side, what the critic said, what the rewrite changed and what that gained.

import { group, groupOf, playable } from "./clips.js";
import { all, diff, draw, keep, link, make } from "./dom.js";
import { count, score } from "./words.js";

/** Its section; `before`: as it stood, whose cards are kept where they did not change. */
export function iteration(one, look, before) {
  const is = one.tier === "draft";
  const made = make(`section.iteration${is ? ".draft" : ""}`, { id: `iteration-${one.number}`, tabindex: "-1", "aria-labelledby": `heading-${one.number}` });
  const failed = one.failures.filter((each) => each.failed).length;
  const given = one.failures.length - failed;
  const words = [one.fallback ? "prompt not expanded" : one.origin, count(one.candidates.length, is ? "draft" : "candidate"), one.best !== null && `best ${score(one.best)}`, failed && make("span.bad", {}, `${failed} failed`), given && `${given} given up`, one.pending.length && `${one.pending.length} in progress`].filter(Boolean);
  const together = make("button.quiet-button", { type: "button", "aria-label": `Play or pause the clips of iteration ${one.number} in step`, onclick: () => groupOf(made).toggle() }, "▶ in step");
  const cards = make("div.cards");
  const playing = before !== null && group(before).playing;
  for (const old of before ? [...before.querySelector(".cards").children] : []) cards.append(old);
  keep(cards, [...one.candidates.map((candidate) => ({ candidate, shape: look.shape })), ...one.failures.map((failure) => ({ failure })), ...one.pending.map((pending) => ({ pending, shape: look.shape }))],
    (item) => (item.candidate ?? item.failure ?? { seed: item.pending }).seed,
    (item) => (item.candidate ? card(one, item.candidate, item.shape) : item.failure ? broken(item.failure) : waiting(item.pending, item.shape)));
  made.append(
    make("header", {}, make("h3", { id: `heading-${one.number}` }, `Iteration ${one.number}`), one.drafted ? make("p.badge.tier", {}, is ? "◇ draft" : "● as asked") : null,
      make("p", {}, words.flatMap((each, index) => (index ? [" · ", each] : [each]))), one.candidates.length ? together : null),
    one.fallback ? make("div.alarm", {}, make("p", {}, make("b", {}, "Rendered from the prompt as written: "), one.fallback)) : "",
    cards, make("div.told", {}, critique(one), rewrite(one), gain(one)));
  if (playing) queueMicrotask(() => group(made).play(undefined, true)); // once it is in the page
  return made;
}

function card(one, candidate, shape) {
  const { seed } = candidate;
  const aspect = `${shape[0]} / ${shape[1]}`;
  const name = `Clip of iteration ${one.number}, seed ${seed}`;
  const media = candidate.clip
    ? playable(candidate.clip, { name, poster: candidate.poster, label: `Play the clips of iteration ${one.number} in step, seed ${seed}`, aspect })
    : make("div.media.missing", {}, make("p", {}, "The clip is missing."));
  const badges = [
    candidate.chosen && make("span.badge.chosen", {}, "★ chosen"), candidate.accepted && make("span.badge.good", {}, "✓ accepted"),
    candidate.decision === "undecided" && make("span.badge.warn", {}, "? undecided"), candidate.decision === "rejected" && make("span.badge.bad", {}, "✕ rejected"),
    !candidate.floors_hold && make("span.badge.bad", {}, "▼ below a floor"),
    candidate.clip && link(candidate.clip, candidate.clip.split(".").pop(), { "aria-label": `Open the clip of iteration ${one.number}, seed ${seed}` }),
  ];
  const why = make("p.explanation", { "aria-hidden": "true" }, make("b"), " ", make("span"));
  const shown = candidate.criteria.filter((each) => !each.fine);
  const fine = candidate.criteria.filter((each) => each.fine);
  const listed = (criteria) => make("ul", {}, criteria.map((each) => criterion(each, why)));
  const lowest = candidate.criteria.reduce((a, b) => (b.value < a.value ? b : a));
  explain(why, lowest);
  return make(`article.card${candidate.chosen ? ".chosen" : ""}`, { "aria-label": `Seed ${seed}: score ${score(candidate.score)}` }, media,
    make("header", {}, make("h4", {}, make("span.figure", {}, score(candidate.score)), " ", make("small", {}, `seed ${seed} · ${candidate.seconds.toFixed(1)} s`)), make("p.badges", {}, badges)),
    make("details.measured", { "data-fold": "measured", open: one.tier !== "draft" && one.candidates.length <= 6 }, make("summary", {}, "Lowest: ", make("b", {}, candidate.lowest)),
      make("div.criteria", { role: "group", "aria-label": `Criteria of seed ${seed}` }, listed(shown), fine.length ? make("details.fine", { "data-fold": "fine" }, make("summary", {}, `${fine.length} more at ${score(Math.min(...fine.map((each) => each.value)))} or above`), listed(fine)) : null),
      why, candidate.notes.length ? make("ul.notes", {}, candidate.notes.map((note) => make("li", { dir: "auto" }, note))) : null),
    candidate.defects.length ? make("ul.defects", { "aria-label": `Defects of seed ${seed}: go there in every clip` }, candidate.defects.map((each) => make("li", {}, make("button", { type: "button", onclick: (event) => groupOf(event.currentTarget).seek(each.start) }, make("time", {}, each.span), " ", make("b", {}, each.criterion), " ", make("span", { dir: "auto" }, each.words))))) : null);
}

function criterion(each, why) {
  const below = each.value < each.floor;
  const bar = draw("svg", { class: below ? "bar broken" : "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "track", width: 100, height: 8, rx: 1 }), draw("rect", { class: "fill", width: (100 * each.value).toFixed(1), height: 8, rx: 1 }),
    each.floor > 0 ? draw("line", { class: "floor", x1: 100 * each.floor, x2: 100 * each.floor, y1: 0, y2: 8 }) : null);
  const floor = each.floor ? `, ${below ? "below" : "at or above"} its floor of ${score(each.floor)}` : "";
  const button = make("button", { type: "button", "data-criterion": each.name }, make("span.name", {}, each.name, each.method ? make("small", {}, ` ${each.method}`) : null), bar,
    make("span.value", {}, below ? make("span.down", { "aria-hidden": "true" }, "▼") : null, score(each.value)), make("span.unseen", {}, `${floor}. ${each.explanation}`));
  // what is pointed at in one clip is explained in all clips of its iteration, so that they can be compared
  const point = () => { for (const other of all("[data-criterion]", button.closest("section.iteration"))) other.dispatchEvent(new CustomEvent("explain", { detail: each.name })); };
  button.addEventListener("pointerenter", point);
  button.addEventListener("focus", point);
  button.addEventListener("explain", ({ detail }) => {
    button.classList.toggle("on", detail === each.name);
    if (detail === each.name) explain(why, each);
  });
  return make("li", {}, button);
}
function explain(why, each) {
  why.querySelector("b").textContent = each.name;
  why.querySelector("span").textContent = each.explanation;
}

function broken(failure) {
  return make(`article.card${failure.failed ? ".failure" : ".pending"}`, { "aria-label": `Seed ${failure.seed}: ${failure.what}` },
    make("h4", {}, failure.failed ? make("span", { "aria-hidden": "true" }, "✕ ") : null, failure.what, " ", make("small", {}, `seed ${failure.seed}`)),
    make("p.message", { dir: "auto" }, failure.message), failure.clip ? link(failure.clip, "Its clip, which could not be judged") : null);
}
function waiting(seed, shape) {
  const box = make("div.media", {}, make("p", {}, make("span.pulse", { "aria-hidden": "true" }), " ", make("span.stands", {}, "waits to be rendered")), make("progress", { hidden: true, "aria-label": `Steps of seed ${seed}` }));
  box.style.aspectRatio = `${shape[0]} / ${shape[1]}`;
  return make("article.card.pending", { "data-pending": seed, "aria-label": `Seed ${seed}: in progress` }, box, make("h4", {}, make("small", {}, `seed ${seed}`)));
}

function critique(one) {
  if (!one.critique) return null;
  return make("section.critique", {}, make("h4", {}, "Critique of the best ", make("small", {}, `seed ${one.critique_of}`)), make("p.prose", { dir: "auto" }, one.critique));
}

function rewrite(one) {
  if (one.against === null && !one.diagnosis && !one.verdict) return make("section.rewrite", {}, make("details", { "data-fold": "caption" }, make("summary", {}, "Caption, as sent"), sent(one)));
  return make("section.rewrite", {}, make("h4", {}, one.against === null ? "Caption" : "What the rewrite changed ", one.against === null ? null : make("small", {}, `against iteration ${one.against}`)),
    one.verdict ? make("p", {}, make("span.badge", {}, one.verdict)) : null, one.diagnosis ? make("p.prose", { dir: "auto" }, one.diagnosis) : null,
    one.changes.length ? changes(one.changes) : one.against !== null ? make("p", {}, "No field was edited.") : null,
    make("details", { "data-fold": "caption" }, make("summary", {}, "Caption, as sent"), sent(one)));
}
const sent = (one) => make("pre", { tabindex: "0", role: "region", "aria-label": `Caption of iteration ${one.number}, as sent`, dir: "auto" }, pretty(one.caption));
function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 1); } catch { return text; }
}
/** Field by field, with the reasons given. */
export const changes = (found) => make("dl.changes", {}, found.map((each) => make("div", {}, make("dt", { title: each.path }, each.name), make("dd", {}, diff(each.pieces), each.reasons.map((reason) => make("p.reason", { dir: "auto" }, reason))))));

function gain(one) {
  if (!one.gain) return null;
  const tone = (text) => (text.startsWith("+") ? "td.good" : text === "0.00" ? "td" : "td.bad");
  return make("section.gain", {}, make("h4", {}, "Paired gain ", make("small", {}, `over iteration ${one.gain.over}, same seeds`)),
    make("table", {}, make("thead", {}, make("tr", {}, ["Seed", "Before", "After", "Gain"].map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, one.gain.seeds.map(([seed, before, after, by]) => make("tr", {}, make("th", { scope: "row" }, String(seed)), make("td", {}, before), make("td", {}, after), make(tone(by), {}, by)))),
      make("tfoot", {}, make("tr", {}, make("th", { scope: "row", colspan: "3" }, "Mean: what the prompt did"), make(tone(one.gain.mean), {}, one.gain.mean)))),
    make("p", {}, one.gain.words));
}
