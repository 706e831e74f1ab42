// The first screen of a run (its clip, its score, its prompt) and what stands at its end (cost, differences, files).

import { ask, Away, Refusal } from "./api.js";
import { clip, still } from "./clips.js";
import { $, draw, keep, link, make, say } from "./dom.js";
import { changes } from "./iteration.js";
import { bound, count, money, score, span } from "./words.js";

export const hero = {
  /** Before anything of the run is on the disk. */
  waiting(view) {
    const over = !["queued", "running"].includes(view.state);
    const words = over ? "Nothing was rendered." : view.state === "running" ? "It begins." : view.waits_for ? `It waits: ${view.waits_for}.` : view.position ? `It waits: ${view.position} before it.` : "It waits, and is next.";
    return make("div.hero", {}, make("section.result", { "aria-label": "The chosen clip" }, make("div.stage", {}, make("p", {}, over ? null : make("span.pulse", { "aria-hidden": "true" }), ` ${words}`))), asked(view.request.prompt, null));
  },

  draw(parent, look) {
    const { chosen } = look;
    const picture = { video: look.video, poster: look.poster, chosen, ...(look.video ? {} : { running: look.running, sentence: look.sentence, state: look.state }) };
    const words = { prompt: look.prompt, frame: look.first_frame, final: look.final, of: look.final_of, changes: look.changes, fields: look.fields };
    if (!parent.querySelector(".hero[data-key=hero]")) parent.replaceChildren(make("div.hero", { "data-key": "hero" }, make("section.result", { "aria-label": "The chosen clip" }, make("div.picture"), make("div.judged")), make("div.words-of")));
    keep(parent.querySelector(".picture"), [picture], () => "picture", stage);
    keep(parent.querySelector(".judged"), [{ ...look, changes: 0, fields: 0, prompt: 0 }], () => "judged", judged);
    keep(parent.querySelector(".words-of"), [words], () => "words", prompts);
  },
};

function stage({ video, poster, chosen, running, sentence, state }) {
  if (!video || !chosen) {
    const failed = !running || state === "failed";
    return make(`div.stage${failed ? ".failed" : ""}`, {}, failed ? make("p.big", {}, "✕ No clip") : make("p", {}, make("span.pulse", { "aria-hidden": "true" }), " No clip yet. "), make("p.message", { dir: "auto" }, failed ? "" : sentence));
  }
  if (video.endsWith(".gif")) return make("img.chosen", { src: video, alt: `The chosen clip: iteration ${chosen[0]}, seed ${chosen[1]}` });
  const made = clip(video, { name: `The chosen clip: iteration ${chosen[0]}, seed ${chosen[1]}`, poster, controls: true, eager: true });
  made.className = "chosen";
  if (!still.matches) made.play().catch(() => {});
  return make("div", {}, made);
}

function judged(look) {
  const sentence = make("p.sentence", {}, look.running ? make("span.pulse", { "aria-hidden": "true" }) : null, look.running ? ` Running. ${look.sentence}` : look.sentence);
  const took = look.ledger.find((each) => each.step === "render");
  const facts = [
    look.chosen && ["Seed", String(look.chosen[1])], look.chosen && ["Iteration", `${look.chosen[0]} of ${look.begun}`], ["Renders", look.renders.toLocaleString("en")],
    took && ["Rendering", span(took.seconds)], ["Judging", span(look.ledger.find((each) => each.step === "judge")?.seconds ?? 0)], look.price !== null && ["Cost", money(look.price)],
  ].filter(Boolean);
  return make("div", {},
    look.score === null ? make("div.verdict", {}, sentence) : make("div.verdict", {}, make("p.score", {}, make("span.figure", {}, score(look.score))), make("div.against", {}, meter(look), threshold(look)), sentence),
    make("dl.facts", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    look.notes.length ? make("ul.notes", { "aria-label": "Notes" }, look.notes.map((note) => make("li", { dir: "auto" }, note))) : null);
}
function meter(look) {
  const at = (value) => `${(100 * value).toFixed(1)}%`;
  const against = look.accept_at === null ? "" : `, threshold ${bound(look.accept_at)}${look.calibrated ? "" : ", uncalibrated"}`;
  return draw("svg", { class: look.accepted ? "meter accepted" : "meter", height: 22, role: "img", "aria-label": `Score ${score(look.score)} of 1${against}` },
    draw("rect", { class: "track", y: 7, width: "100%", height: 8, rx: 2 }), draw("rect", { class: "fill", y: 7, width: at(look.score), height: 8, rx: 2 }),
    look.accept_at === null ? null : draw("line", { class: "threshold", x1: at(look.accept_at), x2: at(look.accept_at), y1: 1, y2: 21 }));
}
function threshold(look) {
  const floors = look.floors_hold ? null : make("span.bad", {}, " · ▼ a criterion is below its floor");
  const draft = look.draft ? " · a draft, which is not accepted" : null;
  if (look.accept_at === null) return make("p.legend", {}, "no threshold was set", floors, draft);
  return make("p.legend", {}, make("span.tick", { "aria-hidden": "true" }), ` threshold ${bound(look.accept_at)} · `, look.calibrated ? "calibrated" : make("em", { title: "No human labels stand behind this threshold" }, "uncalibrated"), floors, draft);
}

function asked(prompt, frame) {
  return make("section.words", { "aria-label": "Prompt" }, make("div.asked", {}, make("h3", {}, "Prompt"),
    frame ? make("figure", {}, link(frame, make("img", { src: frame, alt: "First frame" })), make("figcaption", {}, "first frame")) : null,
    make("p.prompt", { tabindex: "0", role: "region", "aria-label": "The prompt as written", dir: "auto" }, prompt)));
}
function prompts({ prompt, frame, final, of, changes: found, fields }) {
  const made = asked(prompt, frame);
  if (!final) return made;
  const list = make("dl.fields", {}, fields.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, text))));
  made.append(make("div.final", { tabindex: "0", role: "region", "aria-label": "The final prompt" }, make("h3", {}, final, " ", make("small", {}, of)),
    found.length ? changes(found) : null, found.length ? make("details", { "data-fold": "fields" }, make("summary", {}, `All ${count(fields.length, "field")}`), list) : list));
  return made;
}

/** What it took, what is not as asked, and its files. */
export function about({ ledger, price, differences, files, limits, forecast, lost_seconds: lost, report, safety }) {
  const total = ledger.reduce((sum, each) => sum + each.seconds, 0);
  let left = 0;
  const shares = total ? ledger.map((each) => { const x = left; left += (100 * each.seconds) / total; return draw("rect", { class: each.step, x: `${x}%`, width: `${left - x}%`, height: 12 }, draw("title", {}, `${each.name}: ${span(each.seconds)}`)); }) : [];
  const tokens = ledger.some((each) => each.tokens);
  const cells = (each) => [make("td", {}, each.count.toLocaleString("en"), each.failed ? make("span.bad", {}, ` + ${each.failed} failed`) : null), make("td", {}, span(each.seconds)), tokens ? make("td", {}, each.tokens.toLocaleString("en")) : null];
  const took = make("section", {}, make("h3", {}, "What it took"), total ? draw("svg", { class: "ledger", height: 12, role: "img", "aria-label": "Seconds by step" }, shares) : null,
    make("table", {}, make("thead", {}, make("tr", {}, ["Step", "Count", "Time", ...(tokens ? ["Tokens"] : [])].map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ledger.map((each) => make("tr", {}, make("th", { scope: "row" }, make(`span.swatch.${each.step}`, { "aria-hidden": "true" }), each.name), cells(each)))),
      make("tfoot", {}, make("tr", {}, make("th", { scope: "row", colspan: "2" }, "All, side by side added up"), make("td", {}, span(total)), tokens ? make("td") : null))),
    make("p.legend", {}, [price === null ? "Nothing is billed, or no price is known." : `${money(price)} for renders.`, lost ? ` ${span(lost)} of rendering that nobody could use.` : "", forecast ? ` Forecast: ${forecast}.` : "", limits ? ` Limits: ${limits}.` : ""]));
  const unlike = make("section", {}, make("h3", {}, "Requested beside effective"), differences.length ? differences.map((each) => make("div.unlike", {},
    make("table", {}, make("caption", {}, each.clips.join("; ")), make("thead", {}, make("tr", {}, ["", "Requested", "Effective"].map((head) => make("th", { scope: "col" }, head || make("span.unseen", {}, "Property"))))),
      make("tbody", {}, each.rows.map(([name, asked, got]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, asked), make("td.differs", {}, make("b", {}, got)))))))) : make("p.legend", {}, "Every clip is as it was asked for."),
  safety ? make("p.legend", {}, `Safety checker: ${safety.requested ? "asked for" : "not asked for"}, ${safety.effective}${safety.checks.length ? ` (${safety.checks.join(", ")})` : ""}${safety.note ? `. ${safety.note}` : "."}`) : null);
  const kept = make("section", {}, make("h3", {}, "Files"), make("ul.files", {}, report ? make("li", {}, link(report, "report.html")) : null, files.map((file) => make("li", {}, link(file.url, file.name))),
    make("li", {}, make("button.as-link", { type: "button", onclick: whole }, "run.json"))));
  return make("section.about", { "aria-label": "About this run" }, make("div.columns", {}, took, unlike, kept));
}

/** Save the whole run: it is asked for with the key, which a link cannot carry. */
async function whole() {
  const id = location.hash.slice(5);
  try {
    const blob = await (await ask(`v1/runs/${id}/run`)).blob();
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: `${decodeURIComponent(id)}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    if (!(error instanceof Away || error instanceof Refusal)) throw error;
    say($("said"), error.message);
  }
}
