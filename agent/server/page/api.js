// The server's API as the page speaks it. The key goes into a header, and nowhere else.

const NAME = "retake-key";
let memory = ""; // where this browser keeps nothing
export const key = {
  get value() { try { return sessionStorage.getItem(NAME) ?? memory; } catch { return memory; } },
  set value(text) {
    memory = text;
    try { text ? sessionStorage.setItem(NAME, text) : sessionStorage.removeItem(NAME); } catch { /* none here */ }
  },
};

/** What the server said no to. `field`: which, where it is about one; `faults`: several, as [field, words]. */
export class Refusal extends Error {
  constructor(status, error, retry) {
    super(error.message || `The server answered ${status}.`);
    this.status = status;
    this.field = error.field ?? null;
    this.faults = (error.faults ?? []).map((fault) => [fault.field ?? placed(fault.loc), fault.message ?? fault.msg]);
    this.retry = retry;
  }
}
/** The server cannot be reached. */
export class Away extends Error {}

const placed = (loc = []) => loc.filter((part) => part !== "body").join(".");

const listeners = { up: [], down: [], key: [] };
export const when = (what, act) => listeners[what].push(act);
const tell = (what, ...words) => listeners[what].forEach((act) => act(...words));
let asking = null; // one question for a key at a time

function headers(more = {}) {
  return key.value ? { ...more, Authorization: `Bearer ${key.value}` } : more;
}

/** Ask, once more with another key where one is wanted. Throws Away, Refusal. */
export async function ask(path, { method = "GET", headers: more = {}, body, signal } = {}) {
  for (;;) {
    const used = key.value;
    let reply;
    try {
      reply = await fetch(path, { method, headers: headers(more), body, signal, credentials: "same-origin", redirect: "error" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      tell("down");
      throw new Away("The server does not answer.");
    }
    if ([502, 504].includes(reply.status)) { // a proxy before it
      tell("down");
      throw new Away("The server does not answer.");
    }
    tell("up");
    if (reply.status === 401) {
      if (key.value === used) await another(Boolean(used));
      continue;
    }
    if (!reply.ok) throw await refusal(reply);
    return reply;
  }
}

async function another(wrong) {
  asking ??= new Promise((done) => tell("key", wrong, done)).finally(() => { asking = null; });
  await asking;
}

async function refusal(reply) {
  const said = await reply.json().catch(() => ({}));
  const error = said.error && typeof said.error === "object" ? said.error : { message: said.error ?? said.detail };
  if (typeof error.message !== "string") error.message = "";
  return new Refusal(reply.status, error, Number(reply.headers.get("retry-after")) || null);
}

export const read = async (path, options) => {
  const reply = await ask(path, options);
  return reply.status === 204 ? null : reply.json();
};
export const send = (path, body, more = {}) => read(path, { method: "POST", headers: { "Content-Type": "application/json", ...more }, body: JSON.stringify(body) });

/** A name for a request that may have to be sent twice. `randomUUID` is for secure origins alone. */
export const once = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Server-sent events with our header, which EventSource cannot send. Calls `on(id, data)` for each and returns when the
 * stream ends; the caller asks again with the last id. Throws as `ask`.
 */
async function stream(path, { after, on, signal }) {
  const more = { Accept: "text/event-stream", ...(after ? { "Last-Event-ID": String(after) } : {}) };
  const reply = await ask(path, { headers: more, signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let id = after;
  let name = "";
  let data = [];
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      return { done: true };
    });
    if (done) return;
    rest += value;
    const lines = rest.split(/\r\n|\n|\r(?!$)/); // a final CR may be half of a line's end
    rest = lines.pop();
    for (const text of lines) {
      if (text === "") {
        if (data.length) on(id, data.join("\n"), name);
        [data, name] = [[], ""];
        continue;
      }
      const [, field, rest] = /^([^:]*):? ?(.*)$/s.exec(text);
      if (field === "data") data.push(rest);
      else if (field === "id") id = rest;
      else if (field === "event") name = rest;
    }
  }
}

/**
 * Events from the first on, and on again where the stream breaks off, until `over()`. Calls `on(event, name)`. Returns at
 * the end, when `signal` is raised, and, with the refusal, where the server will not have it.
 */
export async function follow(path, { on, over, signal }) {
  let after = null;
  let pause = 500;
  while (!signal.aborted) {
    const before = after;
    try {
      await stream(path, {
        after, signal,
        on: (id, data, name) => {
          if (signal.aborted) return;
          after = id;
          on(JSON.parse(data), name);
        },
      });
      if (over()) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Away || error instanceof Refusal)) throw error;
      if (error instanceof Refusal && error.status < 500 && error.status !== 429) return error; // it will not get better
    }
    pause = after === before ? Math.min(pause * 1.7, 8000) : 500;
    await new Promise((done) => setTimeout(done, pause));
  }
}
