// What a visitor can do while a reply runs: stop it, write on, erase all of it. The caller starts a worker that speaks slowly.

import { strict as assert } from "node:assert";
import { ChatPage, run, text, visitor } from "./visit.mjs";

await run(async (browser, base) => {
  await stop(browser, base);
  await writeOn(browser, base);
  await erase(browser, base);
  await told(browser, base);
  await unanswered(browser, base);
});

/** Holds the page's next request to `url`; what it returns waits for that request. */
async function hold(page, url) {
  let come;
  const held = new Promise((resolve) => { come = resolve; });
  await page.route(url, come, { times: 1 });
  return () => held;
}

async function stop(browser, base) {
  const { page, context, problems } = await visitor(browser, base, { viewport: { width: 360, height: 640 } });
  const chat = new ChatPage(page);
  await chat.open();
  assert(await chat.stop.isHidden(), "there is nothing to stop");
  const idle = await chat.input.boundingBox();
  await chat.say("Hello");
  await chat.replies.filter({ hasText: /Hello/ }).waitFor();
  assert.deepEqual(await chat.input.boundingBox(), idle, "the button takes no place from the input");
  await chat.stop.focus();
  await page.keyboard.press("Enter");
  await chat.ready();
  assert(await chat.stop.isHidden(), "nothing runs any more");
  assert(await chat.input.evaluate((input) => input === document.activeElement), "the keyboard is where one writes");

  const shown = await chat.everything();
  assert.deepEqual([shown[0], shown.at(-1), shown.length], ["You: Hello", "Stopped", 3]);
  assert.equal(await chat.alerts.count(), 0, "the visitor wanted it so");
  await page.reload();
  await chat.log.getByText("Stopped").waitFor();
  await chat.ready();
  assert.deepEqual(await chat.everything(), shown, "it is marked after a reload, too");
  const stored = (await chat.history()).at(-1);
  assert.deepEqual([stored.status, stored.content], ["stopped", text(shown[1])], "what is shown is what is stored");
  assert.deepEqual(problems, []);
  await context.close();
}

async function writeOn(browser, base) {
  const { page, context, problems } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  await chat.say("Hello");
  await chat.replies.filter({ hasText: /Hello/ }).waitFor();
  await chat.say("When are you open?");
  await chat.doing("Anna is writing… Your message waits: 1 before it.");
  assert.equal(await chat.messages.last().textContent(), "You: When are you open?");
  await chat.input.press("Escape");
  await chat.replies.nth(1).waitFor();
  await chat.doing(/^Anna is writing…$/);
  // The first reply stands between the two messages, though the second message was there before it ended.
  const whose = (shown) => shown.map((line) => line.replace(/^((Anna|You): ).*/s, "$1"));
  const order = ["You: ", "Anna: ", "Stopped", "You: ", "Anna: "];
  assert.deepEqual(whose(await chat.everything()), order);

  await page.reload();
  await chat.replies.nth(1).waitFor();
  await chat.input.press("Escape");
  await chat.ready();
  const shown = await chat.everything();
  assert.deepEqual(whose(shown), [...order, "Stopped"]);
  await page.reload();
  await chat.replies.nth(1).waitFor();
  await chat.ready();
  assert.deepEqual(await chat.everything(), shown, "they stand there as before");

  // Each waiting message has a connection of its own; none overtakes another all the same.
  const first = await hold(page, "**/chat/stream");
  for (const message of ["one", "two", "three"]) await chat.say(message);
  await (await first()).continue();
  await chat.doing("Your message waits: 2 before it.");
  const arrived = (await chat.history()).slice(-3).map((message) => message.content);
  assert.deepEqual(arrived, ["one", "two", "three"], "they come in the order in which they were written");
  // A browser has few connections.
  assert(await chat.send.isDisabled(), "no more than three at a time");
  await chat.stop.click();
  await chat.send.and(page.locator(":enabled")).waitFor();
  await chat.doing("Your message waits: 1 before it.");
  assert.deepEqual(problems, []);
  await context.close();
}

async function erase(browser, base) {
  const { page, context, problems } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  await chat.say("Hello");
  await chat.replies.filter({ hasText: /Hello/ }).waitFor();
  const other = new ChatPage(await context.newPage());
  await other.page.goto("/");
  await other.replies.filter({ hasText: /Hello/ }).waitFor();

  const button = page.getByRole("button", { name: "Erase this conversation" });
  const dialog = page.getByRole("dialog", { name: "Erase this conversation?" });
  await button.click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep it", "what a slip of the finger does");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert(await chat.stop.isVisible(), "it closes the question and stops nothing");
  await button.click();
  await dialog.getByRole("button", { name: "Keep it" }).click();
  assert.equal((await chat.history()).length, 1, "nothing was erased");

  const refusal = { status: 503, contentType: "application/problem+json", body: `{"detail": "Not now."}` };
  await page.route("**/chat/history", (route) => route.fulfill(refusal), { times: 1 });
  await button.click();
  await dialog.getByRole("button", { name: "Erase it" }).click();
  await chat.alerts.filter({ hasText: "Not now." }).waitFor();
  const loaded = page.waitForEvent("load");
  await chat.alerts.getByRole("button", { name: "Try again" }).click();
  await loaded;
  await chat.ready();
  assert.deepEqual(await chat.everything(), []);
  assert.notEqual(await chat.choices.count(), 0, "as for a stranger");
  assert.deepEqual(await chat.history(), []);

  await other.alerts.filter({ hasText: /erased/ }).waitFor();
  assert.equal(await other.replies.count(), 0, "what was said is gone, wherever it was shown");
  assert.equal(await other.alerts.getByRole("button").count(), 0, "it is not offered to be sent again");
  assert.deepEqual(problems.filter((problem) => !problem.includes("503 (Service Unavailable)")), []);
  await context.close();
}

/** What an api says when it lacks something; this one does not. */
async function told(browser, base) {
  const { page, context } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  const say = (...events) => ({
    contentType: "text/event-stream",
    body: events.map((event, seq) => `id: 0:${seq + 1}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
  });
  await page.route("**/chat/stream", (route) => route.fulfill(say({ content: "", status: "waiting" })));
  const asked = await hold(page, "**/chat/stream?*");
  await chat.say("Hello");
  await chat.doing("Your message is kept; nobody has come to it yet.");
  const goOn = await asked();
  await goOn.fulfill(say({ content: "Hi!" }, { content: "", is_final: true, degraded: true }));
  assert.equal(await chat.reply(1), "Hi!", "a status is no text of the reply");
  assert.equal((await chat.everything()).at(-1), "Anna answered without knowing the conversation so far.");
  await context.close();
}

/** A message that nothing is heard of can be sent again, and holds up the next one no longer. */
async function unanswered(browser, base) {
  const { page, context } = await visitor(browser, base);
  await page.clock.install();
  const chat = new ChatPage(page);
  await chat.open();
  const first = await hold(page, "**/chat/stream");
  await chat.say("one");
  await chat.say("two");
  await first();
  await page.clock.fastForward(20_000);
  await chat.alerts.filter({ hasText: "could not be sent" }).waitFor();
  await chat.replies.first().waitFor();
  assert.deepEqual((await chat.history()).map((message) => message.content), ["two"]);
  await chat.alerts.getByRole("button", { name: "Try again" }).click();
  await chat.doing("Your message waits: 1 before it.");
  assert.equal(await chat.alerts.count(), 0);
  await context.close();
}
