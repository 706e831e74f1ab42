// Figures, states and events as people read them.

export const score = (value) => value.toFixed(2);
/** A threshold with as many decimals as it has, two at least. */
export const bound = (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
export const money = (value) => `$${value.toFixed(value > 0 && value < 0.01 ? 4 : 2)}`;
export const time = (stamp) => new Date(stamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** 9.4 s, 1:05, 2:03:10. */
export function span(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** How long ago, in a word or two. */
export function ago(stamp) {
  const seconds = Math.max(0, (Date.now() - new Date(stamp)) / 1000);
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(stamp).toLocaleDateString();
}

export const STATES = { queued: "waiting", running: "running", completed: "done", failed: "failed", cancelled: "cancelled" };
export const SIGNS = { queued: "◌", running: "●", completed: "✓", failed: "✕", cancelled: "‖" };
export const LIVE = new Set(["queued", "running"]);

/** Where a render stands, in a few words. */
export function standing({ stage, step, steps, seconds = 0, note = "" }) {
  const why = note ? `: ${note}` : "";
  if (stage === "queued") return `waiting its turn, ${span(seconds)}${why}`;
  if (stage === "rendering") return step !== null && step !== undefined && steps ? `step ${step} of ${steps}, ${span(seconds)}` : seconds ? `rendering, ${span(seconds)}` : "rendering";
  if (stage === "delivering") return "being fetched";
  if (stage === "resubmitted") return `lost after ${span(seconds)} and sent again${why}`;
  return `abandoned after ${span(seconds)}${why}`;
}

const seedOf = (clip) => `seed ${clip.seed}`;
const where = (event) => `iteration ${event.iteration + 1}`;
const EVENTS = {
  server_waiting: (e) => `Waiting for the ${e.part}, ${span(e.seconds)}${e.line ? `: ${e.line}` : ""}`,
  server_ready: (e) => `The ${e.part} answers: ${e.model}${e.version ? `, ${e.version}` : ""}`,
  run_started: (e) => (e.run?.iterations?.length ? "The run goes on from what it remembers" : "The run starts"),
  forecast_made: (e) => {
    const renders = e.forecast?.steps?.render?.count;
    return renders ? `Forecast: ${renders.expected.toLocaleString("en")} renders, ${renders.worst.toLocaleString("en")} at most` : "Forecast made";
  },
  caption_started: (e) => `Writing the caption of ${where(e)}`,
  caption_ready: (e) => {
    const edits = e.caption.edits?.length;
    const what = e.promoted !== null && e.promoted !== undefined ? `the caption of iteration ${e.promoted + 1}, now as asked` : e.caption.reseed ? "the same caption on fresh seeds" : edits ? `${count(edits, "edit")} to the caption` : e.caption.source === "raw" ? "the prompt as written" : "the caption is written";
    return `Iteration ${e.iteration + 1}: ${what}; ${count(e.seeds.length, e.tier === "draft" ? "draft" : "candidate")} to render`;
  },
  render_started: (e) => `Seed ${e.seed} of ${where(e)} goes to the generator`,
  render_progressed: (e) => (["resubmitted", "abandoned"].includes(e.progress.stage) ? `Seed ${e.progress.seed}: ${standing(e.progress)}` : null),
  render_finished: (e) => `Seed ${e.clip.seed} is rendered, ${span(e.clip.rendering?.render_seconds ?? e.clip.seconds)}`,
  candidate_ready: ({ candidate: { clip, critique } }) => {
    const low = critique.scores.reduce((a, b) => (b.value < a.value ? b : a));
    return `Seed ${clip.seed} scores ${score(critique.overall)}; lowest: ${low.criterion.replaceAll("_", " ")} ${score(low.value)}`;
  },
  attempt_failed: (e) => `Seed ${e.failure.seed}: ${e.failure.step} failed: ${e.failure.message}`,
  seed_given_up: (e) => `Seed ${e.given_up.seed} is given up: another clip is accepted`,
  critic_tested: () => "The critic was tested on doctored clips",
  critic_test_failed: (e) => `The critic could not be tested: ${e.message}`,
  clips_compared: (e) => `${seedOf(e.duel.first)} and ${seedOf(e.duel.second)} are compared: ${{ first: `${seedOf(e.duel.first)} is better`, second: `${seedOf(e.duel.second)} is better`, tie: "a tie" }[e.duel.comparison.outcome]}`,
  choice_made: (e) => `Chosen: seed ${e.choice.chosen.seed} of iteration ${e.choice.chosen.iteration + 1}. ${e.choice.words}`,
  step_recalled: (e) => `Remembered from before: ${e.step}`,
  run_finished: (e) => `Stopped: ${e.ending.reason.replaceAll("_", " ")}${e.ending.detail ? `: ${e.ending.detail}` : ""}`,
  export_started: (e) => `Making the video: ${e.form.format}`,
  video_exported: () => "The video is ready",
  export_failed: (e) => `The video could not be made: ${e.message}`,
};
const BAD = new Set(["attempt_failed", "critic_test_failed", "export_failed"]);

/** An event as a line: its words, and whether it is bad news. Null: it says nothing to people, or nothing new. */
export function line(event) {
  const say = EVENTS[event.type];
  try {
    const words = say ? say(event) : event.type ? String(event.type).replaceAll("_", " ") : null;
    return words === null ? null : { words, bad: BAD.has(event.type), at: event.at };
  } catch {
    return { words: String(event.type).replaceAll("_", " "), bad: false, at: event.at }; // of another version
  }
}
