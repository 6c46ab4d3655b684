// A browser's own EventSource, opened right after a POST, shows that POST's reply, then stops by itself.

import { strict as assert } from "node:assert";
import { assembled, parse, run, visitor } from "./visit.mjs";

await run(async (browser, base) => {
  const { page, problems } = await visitor(browser, base);
  await page.goto("/healthz");

  const statuses = [];
  page.on("response", (response) => {
    if (response.request().method() === "GET" && response.url().endsWith("/chat/stream")) statuses.push(response.status());
  });
  const heard = await page.evaluate(async () => {
    const posted = await fetch("/chat/stream", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ content: "I need help with my medical consultation" }),
    });
    const source = new EventSource("/chat/stream");
    const events = [];
    const stopped = new Promise((resolve) => {
      source.onmessage = ({ lastEventId, data }) => events.push({ id: lastEventId, ...JSON.parse(data) });
      // Also called when the stream ends, before the EventSource asks for more; what ends it for good is the 204.
      source.onerror = () => source.readyState === EventSource.CLOSED && resolve();
    });
    const body = await posted.text();
    await stopped;
    return { status: posted.status, request: posted.headers.get("X-Request-ID"), body, events };
  });

  assert.equal(heard.status, 200);
  const posted = parse(heard.body);
  assert.match(assembled(posted), /Anna/);
  assert(posted.length > 10, `word by word, not ${posted.length} events`);
  assert.deepEqual(heard.events, posted, "the EventSource hears what the POST's body says, id by id");
  heard.events.forEach(({ id }, index) => assert.equal(id, `${heard.request}:${index + 1}`, "seq has a gap or a repeat"));
  assert.deepEqual(
    heard.events.filter((event) => event.is_final),
    [heard.events.at(-1)],
    "one final event, the last"
  );
  assert.deepEqual(statuses, [200, 204], "after the final event the EventSource asks once more and is told to stop");
  assert.deepEqual(problems, []);
  console.log(`${heard.events.length} events: ${assembled(heard.events)}`);
});
