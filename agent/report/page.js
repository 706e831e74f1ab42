"use strict";
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const sections = all("section.iteration");
  const chosen = document.querySelector("video.chosen");

  const start = (video) => video.play().catch(() => {}); // a browser may refuse; the poster stays
  if (chosen && !calm.matches) start(chosen);

  // A clip that was deleted after this page was written.
  for (const video of all("video")) {
    video.addEventListener("error", () => {
      const word = document.createElement("p");
      word.textContent = "The clip is missing.";
      const box = video.closest(".media") ?? video;
      box.classList.add("missing");
      (box === video ? box.parentElement : box).append(word);
    });
  }

  // The clips of an iteration play, pause and seek together; each follows the one that leads.
  const LAG = 0.12; // seconds a follower may be off before it is set right
  const groups = new Map(sections.map((section) => [section, group(section)]));

  function group(section) {
    const videos = all(".media video", section);
    const lines = all(".traces", section).map((svg) => [svg.querySelector(".playhead"), Number(svg.dataset.seconds), svg.closest(".card")]);
    let leader = null;
    let pinned = false;

    const mark = () => {
      for (const [line, seconds, card] of lines) {
        const video = card.querySelector(".media video");
        const x = video && seconds ? (100 * video.currentTime) / seconds : -9;
        line.setAttribute("x1", x);
        line.setAttribute("x2", x);
      }
    };
    const press = () => all(".media", section).forEach((box) => box.setAttribute("aria-pressed", String(leader !== null)));
    const follow = () => {
      if (!leader) return;
      for (const video of videos) {
        const off = Math.abs(video.currentTime - leader.currentTime);
        const turning = off > (leader.duration || 0) / 2; // one has begun again, the other will at once
        if (video !== leader && !video.seeking && video.readyState > 1 && off > LAG && !turning) video.currentTime = leader.currentTime;
      }
      mark();
      requestAnimationFrame(follow);
    };
    return {
      get playing() { return leader !== null; },
      get pinned() { return pinned; },
      play(video, keep = false) {
        const idle = leader === null;
        leader = video;
        pinned ||= keep;
        for (const each of videos) {
          const box = each.getBoundingClientRect();
          if (each === video || (box.bottom > 0 && box.top < innerHeight)) start(each);
        }
        press();
        if (idle) requestAnimationFrame(follow);
      },
      pause() {
        leader = null;
        pinned = false;
        videos.forEach((video) => video.pause());
        press();
      },
      seek(seconds) {
        this.pause();
        for (const video of videos) {
          const go = () => { video.currentTime = Math.min(seconds, Math.max(0, video.duration - 0.05)); };
          if (video.readyState > 0) go();
          else {
            video.addEventListener("loadedmetadata", go, { once: true });
            video.preload = "auto";
            video.load();
          }
          video.addEventListener("seeked", mark, { once: true });
        }
      },
    };
  }
  const groupOf = (element) => groups.get(element.closest("section.iteration"));

  for (const box of all("button.media")) {
    const video = box.querySelector("video");
    const clips = groupOf(box);
    const rest = () => { if (!clips.pinned && !box.matches(":hover, :focus-visible")) clips.pause(); };
    box.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !calm.matches) clips.play(video); });
    box.addEventListener("focus", () => { if (box.matches(":focus-visible") && !calm.matches) clips.play(video); });
    box.addEventListener("pointerleave", rest);
    box.addEventListener("blur", rest);
    box.addEventListener("click", () => (clips.playing ? clips.pause() : clips.play(video, true)));
  }

  document.addEventListener("click", async (event) => {
    const seek = event.target.closest("[data-seek]");
    if (seek) groupOf(seek).seek(Number(seek.dataset.seek));
    const traces = event.target.closest(".traces");
    if (traces) {
      const box = traces.getBoundingClientRect();
      groupOf(traces).seek(((event.clientX - box.left) / box.width) * Number(traces.dataset.seconds));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copy);
      getSelection().selectAllChildren(text);
      try {
        await navigator.clipboard.writeText(text.textContent);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Selected"; // no clipboard here: Ctrl+C does it
      }
    }
  });

  // A criterion pointed at in one clip is explained for all clips of its iteration.
  const explain = (event) => {
    const button = event.target.closest?.("[data-criterion]");
    if (!button) return;
    for (const each of all("[data-criterion]", button.closest("section.iteration"))) {
      const same = each.dataset.criterion === button.dataset.criterion;
      each.classList.toggle("on", same);
      if (!same) continue;
      const line = each.closest(".card").querySelector(".explanation");
      line.querySelector("b").textContent = each.querySelector(".word").textContent;
      line.querySelector("span").textContent = each.querySelector(".why").textContent;
    }
  };
  document.addEventListener("pointerover", explain);
  document.addEventListener("focusin", explain);

  // Criteria unfolded in one clip are unfolded in all clips of its iteration.
  for (const fold of all("details.fine")) {
    fold.addEventListener("toggle", () => {
      for (const each of all("details.fine", fold.closest("section.iteration"))) {
        if (each.dataset.axis === fold.dataset.axis) each.open = fold.open;
      }
    });
  }

  // Arrow keys: left and right among iterations, up and down among the criteria of a clip.
  const here = () => {
    const focused = sections.indexOf(document.activeElement.closest("section.iteration"));
    return focused >= 0 ? focused : sections.findLastIndex((section) => section.getBoundingClientRect().top < innerHeight / 3);
  };
  const show = () => {
    for (const link of all(".column")) {
      if (link.getAttribute("href") === location.hash) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("hashchange", show);
  show();
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || at.closest("video, input, textarea, select")) return;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (side && sections.length) {
      event.preventDefault();
      const next = here() + side;
      if (next < 0) scrollTo(0, 0);
      const section = sections[Math.min(Math.max(next, 0), sections.length - 1)];
      if (next >= 0) {
        location.replace("#" + section.id);
        section.focus({ preventScroll: true });
      } else document.activeElement.blur();
    } else if (step && at.closest(".criteria")) {
      event.preventDefault();
      const buttons = all("[data-criterion]", at.closest(".criteria")).filter((button) => button.checkVisibility());
      const next = buttons[(buttons.indexOf(at) + step + buttons.length) % buttons.length];
      all("[data-criterion]", at.closest(".criteria")).forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
      next.focus();
    }
  });

  // A running run: read the page again, and be where one was.
  if (document.documentElement.dataset.running === undefined) return;
  const key = "retake " + location.pathname;
  try {
    const was = JSON.parse(sessionStorage.getItem(key));
    for (const details of all("details[id]")) if (details.id in was.open) details.open = was.open[details.id];
    if (chosen && was.video === chosen.getAttribute("src")) chosen.currentTime = was.time;
    scrollTo(0, was.scroll);
  } catch {
    // first visit, or no storage here
  }
  setInterval(() => {
    if (document.hidden || !getSelection().isCollapsed || [...groups.values()].some((clips) => clips.playing)) return;
    const open = Object.fromEntries(all("details[id]").map((details) => [details.id, details.open]));
    try {
      sessionStorage.setItem(key, JSON.stringify({ scroll: scrollY, open, video: chosen?.getAttribute("src"), time: chosen?.currentTime }));
    } catch {
      // no storage here
    }
    location.reload();
  }, 3000);
})();
