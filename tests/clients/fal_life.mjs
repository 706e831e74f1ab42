// The whole life of requests by fal's JavaScript client. Prints what it saw as one JSON object.
//   node fal_life.mjs BASE middleware|proxy [KEY]
import { createFalClient } from "@fal-ai/client";

const [base, way, key] = process.argv.slice(2);
const services = {
  "https://queue.fal.run": `${base}/fal/queue`,
  "https://fal.run": `${base}/fal/run`,
  "https://rest.fal.ai": `${base}/fal/rest`,
};

async function requestMiddleware(request) {
  for (const [host, here] of Object.entries(services)) {
    if (request.url.startsWith(host)) return { ...request, url: here + request.url.slice(host.length) };
  }
  return request;
}

const fal = createFalClient({
  credentials: key || "any",
  ...(way === "proxy" ? { proxyUrl: { url: `${base}/fal/proxy`, when: "always" } } : { requestMiddleware }),
});

const text = "nvidia/cosmos-3-super/text-to-video";
const small = { prompt: "A red ball rolls over a wooden table", num_frames: 13, image_size: { width: 256, height: 256 } };
const said = {};

async function failing(work) {
  try {
    await work();
    return { name: "none" };
  } catch (error) {
    return {
      name: error.name,
      message: error.message,
      status: error.status,
      body: error.body,
      requestId: error.requestId,
      fields: error.getFieldErrors ? error.getFieldErrors("num_frames") : null,
    };
  }
}

const polled = [];
said.polled = await fal.subscribe(text, {
  input: small,
  logs: true,
  pollInterval: 50,
  onQueueUpdate: (update) => polled.push({ status: update.status, lines: (update.logs || []).map((log) => log.message) }),
});
said.updates = polled;

const streamed = [];
said.streamed = await fal.subscribe(text, {
  input: { ...small, seed: 7, enable_agentic_generation: true, agentic_max_iterations: 1 },
  mode: "streaming",
  logs: true,
  onQueueUpdate: (update) => streamed.push({ status: update.status, lines: (update.logs || []).map((log) => log.message) }),
});
said.events = streamed;

said.run = await fal.run(text, { input: { ...small, sync_mode: true } });
said.run.data.video.url = said.run.data.video.url.slice(0, 40);

said.invalid = await failing(() => fal.queue.submit(text, { input: { ...small, num_frames: 1000 } }));
said.foreign = await failing(() => fal.run("fal-ai/flux/dev", { input: { prompt: "x" } }));

const long = { ...small, num_frames: 189, image_size: "landscape_16_9" };
const { request_id: requestId } = await fal.queue.submit(text, { input: long, priority: "low" });
said.early = await failing(() => fal.queue.result(text, { requestId }));
await fal.queue.cancel(text, { requestId });
said.cancelled = await fal.queue.subscribeToStatus(text, { requestId, pollInterval: 50 });
said.gone = await failing(() => fal.queue.result(text, { requestId }));
said.twice = await failing(() => fal.queue.cancel(text, { requestId }));
said.unknown = await failing(() => fal.queue.status(text, { requestId: "00000000-0000-0000-0000-000000000000" }));

console.log(JSON.stringify(said));
