// Clips side by side: those of an iteration play, pause and seek together, each following the one that leads.

import { all, make } from "./dom.js";

const LAG = 0.12; // seconds a follower may be off before it is set right
export const still = matchMedia("(prefers-reduced-motion: reduce)");
const groups = new WeakMap();
const videos = new Map(); // by address: a clip that is shown again, in another card, is not loaded again

/** A muted, looped clip; the same element for the same address. */
export function clip(url, { name, poster = null, controls = false, eager = false } = {}) {
  const known = videos.get(`${controls} ${url}`);
  if (known) {
    if (poster && !known.poster) known.poster = poster; // it is made a little after the clip
    return known;
  }
  const made = make("video", { src: url, muted: true, loop: true, playsinline: true, poster, preload: eager ? "auto" : poster ? "none" : "metadata", controls, "aria-label": name, tabindex: controls ? null : "-1" });
  made.muted = true; // the attribute alone is the default of a fresh element, not its state
  made.addEventListener("error", () => {
    const box = made.closest(".media") ?? made.parentElement;
    if (!box || box.querySelector(".gone")) return;
    box.append(make("p.gone", {}, "The clip is missing, or this browser cannot play it."));
  });
  videos.set(`${controls} ${url}`, made);
  return made;
}
/** Another run is shown: none of the clips so far is needed again. */
export function forget() {
  for (const video of videos.values()) {
    video.pause();
    video.removeAttribute("src");
    video.load();
  }
  videos.clear();
}
const start = (video) => video.play().catch(() => {}); // a browser may refuse: its picture stays

/** The clips of one iteration's section. */
export function group(section) {
  if (groups.has(section)) return groups.get(section);
  let leader = null;
  let pinned = false; // until somebody pauses them
  const shown = () => all(".media video", section);
  const press = () => all("button.media", section).forEach((box) => box.setAttribute("aria-pressed", String(leader !== null)));
  const follow = () => {
    if (!leader) return;
    if (leader.closest("section.iteration") !== section) return made.pause(); // it went into another card
    for (const video of shown()) {
      if (video === leader) continue;
      if (video.paused) start(video); // it came while the others played
      const off = Math.abs(video.currentTime - leader.currentTime);
      const turning = off > (leader.duration || 0) / 2; // one has begun again, the other will at once
      if (!video.seeking && video.readyState > 1 && off > LAG && !turning) video.currentTime = leader.currentTime;
    }
    requestAnimationFrame(follow);
  };
  const made = {
    get playing() { return leader !== null; },
    play(video = shown()[0], keep = false) {
      if (!video) return;
      const idle = leader === null;
      leader = video;
      pinned ||= keep;
      shown().forEach(start);
      press();
      if (idle) requestAnimationFrame(follow);
    },
    pause() {
      leader = null;
      pinned = false;
      shown().forEach((video) => video.pause());
      press();
    },
    toggle() { return leader ? this.pause() : this.play(undefined, true); },
    rest(box) { if (!pinned && !box.matches(":hover, :focus-visible")) this.pause(); },
    seek(seconds) {
      this.pause();
      for (const video of shown()) {
        const go = () => { video.currentTime = Math.min(seconds, Math.max(0, video.duration - 0.05)); };
        if (video.readyState > 0) go();
        else {
          video.addEventListener("loadedmetadata", go, { once: true });
          video.preload = "auto";
          video.load();
        }
      }
    },
  };
  groups.set(section, made);
  return made;
}
export const groupOf = (element) => group(element.closest("section.iteration"));

/** A clip as a button that plays its whole iteration: on hover, on focus, and until pressed again by a click. */
export function playable(url, { name, poster, label, aspect }) {
  const video = clip(url, { name, poster });
  const box = make("button.media", { type: "button", "aria-pressed": "false", "aria-label": label }, video);
  if (aspect) box.style.aspectRatio = aspect;
  const ours = () => groupOf(box);
  box.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !still.matches) ours().play(video); });
  box.addEventListener("focus", () => { if (box.matches(":focus-visible") && !still.matches) ours().play(video); });
  box.addEventListener("pointerleave", () => ours().rest(box));
  box.addEventListener("blur", () => ours().rest(box));
  box.addEventListener("click", () => (ours().playing ? ours().pause() : ours().play(video, true)));
  return box;
}
