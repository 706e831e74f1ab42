// The first frame of a new run: a file, dropped, pasted or chosen, or an address that the server fetches itself.

import { read } from "./api.js";
import { $, say } from "./dom.js";

const KINDS = ["image/png", "image/jpeg", "image/webp"];

/** Send a file. Returns what the server calls it. */
export async function upload(file) {
  const made = await read(`v1/uploads?name=${encodeURIComponent(file.name || "first-frame.png")}`, { method: "POST", headers: { "Content-Type": file.type || "application/octet-stream" }, body: file });
  return made.url;
}

/** `changed()`: another one was chosen, or none. */
export function picture({ changed }) {
  let file = null;
  let sent = null; // its address, once it is on the server
  const url = $("f-image");
  const shown = $("preview").querySelector("img");

  function show() {
    if (shown.src.startsWith("blob:")) URL.revokeObjectURL(shown.src);
    $("preview").hidden = file === null;
    url.hidden = file !== null;
    if (file) shown.src = URL.createObjectURL(file);
    else shown.removeAttribute("src");
    changed();
  }
  function take(given) {
    if (!given) return false;
    if (!KINDS.includes(given.type)) {
      say($("e-image"), `${given.name || "This"} is no PNG, JPEG or WebP image.`);
      $("e-image").hidden = false;
      return false;
    }
    file = given;
    sent = null;
    url.value = "";
    show();
    say($("said"), "The first frame is chosen.");
    return true;
  }
  function drop() {
    file = sent = null;
    $("f-file").value = "";
    url.value = "";
    show();
  }

  $("f-file").addEventListener("change", () => take($("f-file").files[0]));
  $("no-image").addEventListener("click", () => { drop(); $("f-file").focus(); });
  document.addEventListener("paste", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const pasted = [...(event.clipboardData?.files ?? [])].find((each) => KINDS.includes(each.type));
    if (pasted && take(pasted)) event.preventDefault();
  });
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0; // how many of the elements under the pointer were entered and not left
  addEventListener("dragenter", (event) => { if (carries(event)) { depth += 1; $("drop").hidden = false; } });
  addEventListener("dragleave", (event) => { if (carries(event) && (depth -= 1) <= 0) $("drop").hidden = true; });
  addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    $("drop").hidden = true;
    take(event.dataTransfer.files[0]);
  });

  return {
    drop,
    /** Whether a model takes one: none, optional, required. */
    offer(how) {
      $("image").classList.toggle("unused", how === "none");
      say($("image-label").querySelector("small"), how === "none" ? "this model takes none" : how);
    },
    given: () => file ?? (url.value.trim() || null),
    /** The address of the file on the server; sent once. */
    async sent(send) { return (sent ??= await send()); },
    address(text) {
      drop();
      url.value = text;
    },
    /** Take a first frame of an earlier run. */
    async fetched(address) {
      try {
        const blob = await (await fetch(address)).blob();
        take(new File([blob], "first frame", { type: blob.type }));
      } catch {
        say($("e-image"), "The first frame of that run cannot be had any more: choose one.");
        $("e-image").hidden = false;
      }
    },
  };
}
