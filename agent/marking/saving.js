// Marks on their way to the disk: sent one after the other, and kept here until they are saved.

/**
 * `put(item, kind, label)` shows a label. `refused(item, kind)`: the server will not have it, and the page shows again
 * what stood before. `say(words)` tells how it went, `trouble(words, again)` what went wrong and whether to try again;
 * `calm()` takes that back.
 */
export function outbox({ put, refused, say, trouble, calm }) {
  const unsent = []; // as { key, item, kind, body, before }
  let sending = false;
  let stuck = false; // whether the first of them waits for somebody to try again

  async function empty() {
    if (sending) return;
    sending = true;
    try {
      while (unsent.length) {
        const [next] = unsent;
        const failure = await post(next.body);
        stuck = Boolean(failure?.again);
        if (stuck) {
          const wait = unsent.length === 1 ? "1 mark waits" : `${unsent.length} marks wait`;
          say("Not saved.");
          trouble(`Not saved: ${failure.why} ${wait} in this page.`, true);
          return;
        }
        unsent.shift();
        if (failure) {
          refuse(next);
          say("Not saved.");
          trouble(`Not saved: ${failure.why}`, false);
        } else if (!unsent.length) say(words(next));
      }
    } finally {
      sending = false;
    }
  }

  function refuse({ key, item, kind, before }) {
    const later = unsent.find((each) => each.key === key);
    if (later) later.before = before;
    else put(item, kind, before);
    refused(item, kind);
  }

  return {
    get waiting() { return unsent.length > 0; },
    /** Take a mark over. `body` as the server wants it; `before`: what stands now. */
    send(item, kind, body, before) {
      const key = JSON.stringify({ ...body, label: undefined });
      const same = unsent.findIndex((each, index) => each.key === key && !(sending && index === 0));
      const stood = same >= 0 ? unsent.splice(same, 1)[0].before : before;
      unsent.push({ key, item, kind, body, before: stood });
      put(item, kind, body.label);
      say("Saving …");
      this.again();
    },
    /** Try what waits. */
    again() {
      calm();
      void empty();
    },
  };
}

/** Sends one. Null: it is on the disk. Otherwise why not, and whether it may be sent again when the cause is gone. */
async function post(body) {
  let reply;
  try {
    reply = await fetch("api/marks", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    return { again: true, why: "`retake mark` does not answer; is it still running?" };
  }
  if (reply.ok) return null;
  const why = await reply.json().then((said) => said.error, () => `the server answered ${reply.status}.`);
  return { again: reply.status >= 500 || reply.status === 403, why }; // 403: it was started anew; its new page lets this one in
}

function words({ kind, body, item }) {
  const when = new Date().toLocaleTimeString();
  if (body.label === null) return `Taken back, ${when}.`;
  const better = (body.label === 1) !== item.pair?.swapped ? "left is better" : "right is better";
  const what = { rating: `${body.label} of 5`, verdict: body.label ? "pass" : "fail", pair: body.label === 0.5 ? "a tie" : better };
  return `Saved: ${what[kind]}, ${when}.`;
}
