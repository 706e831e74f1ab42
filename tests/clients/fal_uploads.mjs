// Uploads by fal's JavaScript client, as a process. Prints what it saw as one JSON object.
// node fal_uploads.mjs BASE FILE KEY
import { readFileSync } from "node:fs";
import { createFalClient } from "@fal-ai/client";

const [base, file, credentials] = process.argv.slice(2);
const client = createFalClient({
  credentials,
  requestMiddleware: async (request) => ({ ...request, url: request.url.replace("https://rest.fal.ai", `${base}/fal/rest`) }),
});
const data = readFileSync(file);
const large = new Uint8Array(90 * 1024 * 1024 + 1).fill(7); // from here on it sends parts
large.set(data);

const same = async (url, sent) => Buffer.compare(Buffer.from(await (await fetch(url)).arrayBuffer()), Buffer.from(sent)) === 0;
const urls = {
  file: await client.storage.upload(new File([data], "a b.png", { type: "image/png" })),
  blob: await client.storage.upload(new Blob([data], { type: "image/png" }), { lifecycle: { expiresIn: "1h" } }),
  within_input: (await client.storage.transformInput({ a: [{ image_url: new Blob([data], { type: "image/png" }) }] })).a[0].image_url,
  parts: await client.storage.upload(new Blob([large], { type: "video/mp4" })),
};
const found = {};
for (const [way, url] of Object.entries(urls)) found[way] = await same(url, way === "parts" ? large : data);
console.log(JSON.stringify({ urls, same: found }));
