// The simulated phone: a conversation with the clinic over WhatsApp, with buttons, an edit, a deletion and a lost answer.

import { strict as assert } from "node:assert";
import { run, visitor } from "./visit.mjs";

await run(async (browser, base) => {
  const { page, problems } = await visitor(browser, base);
  const log = page.getByRole("log", { name: "Conversation" });
  const mine = log.locator(".bubble.mine");
  const theirs = log.locator(".bubble.clinic");
  const say = async (text) => {
    await page.getByRole("textbox", { name: "Your message" }).fill(text);
    await page.getByRole("button", { name: "Send", exact: true }).click();
  };
  const reply = async (count) => {
    await theirs.nth(count - 1).waitFor();
    return theirs.nth(count - 1).locator(".text").textContent();
  };

  await page.goto("/");
  await say("I would like to book a consultation");
  assert.match(await reply(1), /Anna/);
  await mine.first().getByRole("img", { name: "read" }).waitFor();
  await theirs.first().getByRole("button", { name: "Yes" }).click();
  await reply(2);
  await say("My name is John Doe and I need help with veneers");
  assert.match(await reply(3), /John/);

  // What is edited is answered as it is now.
  await mine.last().getByRole("button", { name: "Edit" }).click();
  await say("My name is John Doe and I need help with hair transplant");
  assert.match(await reply(4), /hair transplant/);
  await mine.last().getByText("edited").waitFor();

  await page.getByRole("button", { name: "Voice note" }).click();
  assert.match(await reply(5), /voice message/);
  await mine.last().getByRole("button", { name: "Delete" }).click();
  await mine.last().getByText("You deleted this message").waitFor();

  // A reply whose answer is lost is not sent twice.
  await page.getByLabel("The next reply").selectOption({ label: "arrives, and the clinic gets no answer" });
  await page.getByRole("button", { name: "Let it happen" }).click();
  await page.getByText("Still to happen").waitFor();
  await say("What are your opening hours?");
  assert.match(await reply(6), /09:00/);
  await theirs.nth(5).getByText("told: sent, delivered, read").waitFor();
  await say("Thank you");
  await reply(7);
  assert.equal(await theirs.count(), 7);
  assert.deepEqual(problems, []);
});
