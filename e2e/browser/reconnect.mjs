// The connection breaks in the middle of a reply, and the page shows the whole reply, once. The caller starts a worker that
// speaks slowly, and restarts the api when this program says so.

import { strict as assert } from "node:assert";
import { ChatPage, run, visitor } from "./visit.mjs";
import { wire } from "./wire.mjs";

await run(async (browser, base) => {
  const line = await wire(base);
  try {
    await resumes(browser, line.base, "a connection breaks", async () => line.cut());
    await resumes(browser, line.base, "the visitor has no network for a while", async ({ context, page }) => {
      const tried = page.waitForEvent("requestfailed", (request) => request.resourceType() === "eventsource");
      await context.setOffline(true);
      line.cut();
      await tried;
      await context.setOffline(false);
    });
  } finally {
    line.cut();
    line.close();
  }
  await resumes(browser, base, "the api is restarted", async () => console.log("RESTART THE API"));
});

async function resumes(browser, base, what, breakConnection) {
  const { page, context } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  const positions = [];
  page.on("request", (request) => {
    if (request.resourceType() === "eventsource") positions.push(new URL(request.url()).searchParams.get("last_event_id"));
  });
  const lost = page.waitForEvent("requestfailed", (request) => request.method() === "POST");
  await chat.say("Hello, I want to schedule an appointment");
  await chat.replies.filter({ hasText: /Hello/ }).waitFor();
  await breakConnection({ context, page });
  await lost;
  const reply = await chat.reply(1);

  assert(positions.length > 0, `${what}: the page asks for the rest`);
  assert.match(positions[0], /:[1-9][0-9]*$/, `${what}: from the middle on`);
  assert.equal(await page.getByRole("alert").count(), 0, `${what}: the visitor is not bothered`);
  const stored = (await chat.history()).filter((message) => message.direction === "outgoing");
  assert.deepEqual([reply], stored.map((message) => message.content), `${what}: shown as stored, once`);
  console.log(`${what}: resumed at ${positions.join(", ")}`);
  await context.close();
}
