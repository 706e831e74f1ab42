// The clips on the screen: muted, looped, and where there are two, in step.

const LAG = 0.08; // seconds that the right clip may be off before it is set right

/** Plays the clips in `screen`; `button` says what the next press does. */
export function player(screen, button) {
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const all = [...screen.querySelectorAll("video")];
  const videos = () => all.filter((video) => video.getAttribute("src"));
  const ready = (video) => video.readyState > 2 || video.error;
  const told = () => { button.textContent = playing ? "Pause" : "Play"; };

  function begin() {
    const shown = videos();
    if (!playing || !shown.every(ready)) return; // each asks again when it can play
    for (const video of shown) {
      if (shown.length > 1 && video.paused) video.currentTime = shown[0].paused ? 0 : shown[0].currentTime;
      video.play().catch(() => {}); // a browser may refuse: its first picture stays
    }
  }

  for (const video of all) {
    video.addEventListener("loadedmetadata", () => {
      if (video.videoHeight) screen.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
    });
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
  told();

  return {
    /** Put a clip into a video; null: none. */
    set(video, url) {
      if (video.getAttribute("src") === url) return;
      video.parentElement.querySelector(".gone").hidden = true;
      if (url === null) {
        video.removeAttribute("src");
        video.load();
        return;
      }
      video.src = url;
      for (const each of videos()) each.pause();
      queueMicrotask(begin); // when both are set
    },
    playOrPause() {
      playing = !playing;
      if (playing) begin();
      else for (const video of videos()) video.pause();
      told();
    },
  };
}
