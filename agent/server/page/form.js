// The form of a new run: what the server's config does where nothing is asked, what a run may cost, and what was wrong.

import { Away, Refusal, once, read, send } from "./api.js";
import { upload, picture } from "./image.js";
import { $, all, make, say } from "./dom.js";
import { count, money } from "./words.js";

const WHOLE = ["num_frames", "fps", "num_inference_steps", "seed", "max_iterations", "samples_per_iteration"];
const NUMBERS = [...WHOLE, "guidance_scale", "accept_at", "max_price_usd"];
const TICKS = ["agentic", "early_stop", "enable_prompt_expansion", "include_raw_prompt", "safety_checker"];
const LOOP = ["max_iterations", "samples_per_iteration", "accept_at", "max_price_usd", "early_stop", "enable_prompt_expansion", "include_raw_prompt"];
const PLACES = { image_url: "image", "body.prompt": "prompt", max_renders: "max_iterations" };
const KEPT = "retake-form";
const input = (name) => $(`f-${name}`);

/** `submitted(view)`: the server took a run. */
export function form({ submitted }) {
  let offer = null;
  let sending = false;
  let last = null; // what was sent and under which name, while it is not known whether it arrived
  let beside = {}; // of a run that is made again: what the form has no field for
  const image = picture({ changed: () => { clear("image"); remember(); } });
  const model = () => offer?.models.find((one) => one.name === input("model").value) ?? null;
  const usual = (name) => (name === "agentic" || name === "safety_checker" ? true : model()?.defaults[name]);

  // --- what it offers ---------------------------------------------------------------------------------------
  async function load() {
    offer = await read("v1/page/form");
    input("model").replaceChildren(...offer.models.map((one) => make("option", { value: one.name }, one.name)));
    input("model").value = offer.default_model;
    fit();
    restore();
    $("send").disabled = !offer.may_run;
    if (!offer.may_run) say($("cost"), "This key may look at runs and not start any.");
  }

  /** The defaults and bounds of the chosen model, in the fields that were not touched. */
  function fit() {
    const its = model();
    if (!its) return;
    say($("h-model"), [its.backend === "animatic" ? "drawn by the animatic, a preview of the loop: no world model" : its.name === its.backend ? "" : `rendered by ${its.backend}`, its.drafts].filter(Boolean).join(". "));
    const size = input("size");
    const before = size.value;
    const sizes = [make("option", { value: "" }, `as the model has it: ${its.defaults.size}`), its.image === "none" ? null : make("option", { value: "auto" }, "auto: by the first frame"), ...its.sizes.map((each) => make("option", { value: each }, each.replace("x", " × ")))];
    size.replaceChildren(...sizes.filter(Boolean));
    size.value = [...size.options].some((option) => option.value === before) ? before : "";
    for (const name of NUMBERS) {
      const value = its.defaults[name];
      input(name).placeholder = value === null || value === undefined ? "" : String(value);
      const range = its.ranges[name];
      if (range && name !== "num_frames") say($(`h-${name}`), `${range[0]} to ${range[1].toLocaleString("en")}`);
    }
    say($("h-accept_at"), its.defaults.accept_at === null ? "0 to 1; empty: no threshold" : "0 to 1");
    for (const name of TICKS) if (input(name).dataset.touched === undefined) input(name).checked = usual(name) ?? false;
    image.offer(its.image);
    told();
  }

  /** The sums beside the folds, what it may cost, and the limits that hang on other fields. */
  function told() {
    const its = model();
    if (!its) return;
    const value = (name) => (input(name).value === "" ? its.defaults[name] : Number(input(name).value));
    const size = input("size").value || its.defaults.size;
    const most = its.max_frames[size];
    say($("h-num_frames"), most ? `at most ${most.toLocaleString("en")} at this size` : "");
    const [frames, fps] = [value("num_frames"), value("fps")];
    const clip = frames && fps ? `${(frames / fps).toFixed(1)} s` : "";
    say($("video-sum"), [size, clip, `${value("num_inference_steps") ?? "?"} steps`].filter(Boolean).join(" · "));
    const agentic = input("agentic").checked;
    for (const name of LOOP) input(name).disabled = !agentic && name !== "enable_prompt_expansion";
    const [iterations, samples] = [value("max_iterations"), value("samples_per_iteration")];
    say($("loop-sum"), agentic ? `${count(iterations, "iteration")} × ${count(samples, "candidate")}` : "off");
    const capped = its.defaults.max_renders;
    const product = iterations * samples;
    const renders = !agentic ? 1 : capped ? Math.min(product, capped) : product;
    const own = its.drafts && input("max_iterations").value === "" && input("samples_per_iteration").value === "";
    const each = its.price_usd;
    const limit = agentic ? value("max_price_usd") : null;
    const bill = each ? Math.min(each * renders, limit || Infinity) : null;
    const stops = agentic && input("early_stop").checked && value("accept_at") !== null ? ", fewer where one is accepted before" : "";
    const how = !agentic ? "One render." : own ? `${count(iterations, "caption")} of ${count(samples, "draft")} each, then the best as asked${stops}.` : `At most ${iterations} × ${samples} = ${count(renders, "render")}${stops}.`;
    if (offer.may_run) say($("cost"), `${how}${bill === null ? "" : ` ${money(bill)} at most, as far as prices are known.`}`);
  }

  // --- what is in it ----------------------------------------------------------------------------------------
  function values() {
    const body = { ...beside, prompt: input("prompt").value, model: input("model").value };
    if (input("size").value) body.size = input("size").value;
    if (input("negative_prompt").value) body.negative_prompt = input("negative_prompt").value;
    for (const name of NUMBERS) if (input(name).value !== "" && !input(name).disabled) body[name] = Number(input(name).value);
    for (const name of TICKS) if (!input(name).disabled && input(name).checked !== usual(name)) body[name] = input(name).checked;
    return body;
  }

  function remember() {
    const texts = ["prompt", "negative_prompt", "image", "model", "size", ...NUMBERS].map((name) => [name, input(name).value]);
    const ticks = TICKS.filter((name) => input(name).dataset.touched !== undefined).map((name) => [name, input(name).checked]);
    try { sessionStorage.setItem(KEPT, JSON.stringify({ texts, ticks })); } catch { /* none here */ }
  }
  function restore() {
    try {
      const { texts, ticks } = JSON.parse(sessionStorage.getItem(KEPT));
      for (const [name, value] of texts) if (!input(name).value || name === "model") input(name).value = value;
      if (!model()) input("model").value = offer.default_model;
      for (const [name, on] of ticks) tick(name, on);
      fit();
    } catch { /* first visit, or no storage here */ }
  }
  function tick(name, on) {
    input(name).checked = on;
    input(name).dataset.touched = "";
  }

  function empty() {
    $("form").reset();
    beside = {};
    last = null;
    for (const name of TICKS) delete input(name).dataset.touched;
    if (offer) input("model").value = offer.default_model;
    image.drop();
    clear();
    fit();
    remember();
  }

  /** Put a run's own settings into it: `request` as the server tells it. `frame`: address of its first frame. */
  async function fill({ request, frame }, { seed } = {}) {
    empty();
    const { model: name, prompt, image_url: address, video_url: video, notes, ...rest } = request;
    input("model").value = name;
    if (!model()) input("model").value = offer.default_model;
    fit();
    input("prompt").value = prompt;
    beside = video ? { video } : {};
    for (const [key, value] of Object.entries({ ...rest, seed })) {
      if (value === null || value === undefined) continue;
      if (TICKS.includes(key)) tick(key, value);
      else if ((NUMBERS.includes(key) || key === "negative_prompt") && input(key)) input(key).value = String(value);
      else if (key === "size") {
        if (![...input("size").options].some((option) => option.value === value)) input("size").append(make("option", { value }, value));
        input("size").value = value;
      } else beside[key] = value;
    }
    if (address) image.address(address);
    else if (frame) await image.fetched(frame);
    told();
    remember();
  }

  // --- sending ----------------------------------------------------------------------------------------------
  async function submit() {
    if (sending) return;
    clear();
    if (!input("prompt").value.trim()) return fault([["prompt", "Write what should happen in the video."]]);
    const wrong = [...NUMBERS].filter((name) => !input(name).validity.valid).map((name) => [name, "This is no number."]);
    if (wrong.length) return fault(wrong);
    sending = true;
    $("send").setAttribute("aria-disabled", "true");
    try {
      const body = values();
      const given = image.given();
      if (given instanceof Blob) {
        say($("said"), "Sending the first frame.");
        body.image = await image.sent(() => upload(given));
      } else if (given) body.image = given;
      const text = JSON.stringify(body);
      if (last?.text !== text) last = { text, name: once() }; // the same again, after a silence, is the same run
      const made = await send("v1/runs", body, { "Idempotency-Key": last.name });
      last = null;
      say($("said"), "The run is taken.");
      for (const fold of all("details", $("form"))) fold.open = false; // the list is below
      submitted(made);
      return made;
    } catch (error) {
      if (error instanceof Away) fault([], "The server does not answer. Nothing is lost: start the run again when it does.");
      else if (error instanceof Refusal) refused(error);
      else throw error;
    } finally {
      sending = false;
      $("send").removeAttribute("aria-disabled");
    }
    return null;
  }

  function refused(error) {
    const later = error.retry ? ` Try again in ${count(error.retry, "second")}.` : "";
    const faults = error.faults.length ? error.faults : error.field ? [[error.field, error.message]] : [];
    const named = faults.map(([field, words]) => [PLACES[field] ?? field.split(".")[0], words.startsWith(`${field}: `) ? words.slice(field.length + 2) : words]);
    const known = named.filter(([field]) => $(`e-${field}`));
    const others = named.filter(([field]) => !$(`e-${field}`)).map(([field, words]) => `${field}: ${words}`);
    const rest = known.length ? others.join(" ") : error.message;
    fault(known, rest ? `${rest}${later}` : later.trim());
  }

  /** Say what is wrong, at its field where it has one; the first of them gets the focus. */
  function fault(fields, words = "") {
    for (const [field, why] of fields) {
      const line = $(`e-${field}`);
      line.textContent = line.hidden ? why.replace(/^./, (first) => first.toUpperCase()) : `${line.textContent} ${why}`;
      line.hidden = false;
      input(field)?.setAttribute("aria-invalid", "true");
      const fold = line.closest("details");
      if (fold) fold.open = true;
    }
    say($("form-fault"), words);
    $("form-fault").hidden = !words;
    if (fields.length) {
      say($("said"), `Not taken: ${fields[0][1]}`);
      input(fields[0][0])?.focus();
    }
    return null;
  }
  function clear(name) {
    for (const line of name ? [$(`e-${name}`)] : all(".fault", $("form"))) {
      line.hidden = true;
      line.textContent = "";
    }
    for (const field of name ? [input(name)] : all("[aria-invalid]", $("form"))) field?.removeAttribute("aria-invalid");
  }

  $("form").addEventListener("submit", (event) => { event.preventDefault(); void submit(); });
  $("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); void submit(); }
  });
  $("form").addEventListener("input", (event) => {
    const { name, type } = event.target;
    if (type === "checkbox") event.target.dataset.touched = "";
    if (name && $(`e-${name}`)) clear(name);
    if (name === "model") fit();
    else told();
    remember();
  });
  $("clear").addEventListener("click", () => { empty(); input("prompt").focus(); });

  return { load, submit, fill, get ready() { return offer !== null; }, focus() { input("prompt").focus(); } };
}
