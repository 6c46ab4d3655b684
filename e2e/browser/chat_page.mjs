// The chat page as a visitor meets it: write, watch the reply grow, tap an answer, reload; and on a narrow phone.

import { strict as assert } from "node:assert";
import { ChatPage, run, text, visitor } from "./visit.mjs";

const MARKUP = `<img src=x onerror="document.title='owned'"><b>bold</b>`;

await run(async (browser, base) => {
  await converse(browser, base);
  await narrow(browser, base);
  await markup(browser, base);
});

async function converse(browser, base) {
  const { page, context, problems } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  assert.equal(await chat.messages.count(), 0, "a stranger has no history");
  assert.notEqual(await chat.choices.count(), 0, "there are suggestions to begin with");

  const lengths = await watch(page, () => chat.say("Hello, I want to schedule an appointment"));
  const first = await chat.reply(1);
  assert.match(first, /Anna/);
  assert(await chat.input.evaluate((input) => input === document.activeElement), "one can write on at once");
  const seen = await lengths();
  assert(seen.length > 5, `the reply grows, it does not appear: ${seen}`);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b), "what is shown is not taken back");

  const yes = chat.choices.filter({ hasText: /^yes/i });
  assert.equal(await yes.count(), 1, "the question for consent can be answered with a tap");
  await page.reload();
  await yes.waitFor();
  const answer = await yes.textContent();
  await yes.click();
  assert.match(await chat.reply(2), /name/i);

  // Enter sends, as in any chat; shift and Enter do not.
  await chat.input.fill("My name is John Doe");
  await chat.input.press("Shift+Enter");
  await chat.input.pressSequentially("and I need help with hair transplant");
  await chat.input.press("Enter");
  assert.match(await chat.reply(3), /John/);

  const before = await chat.transcript();
  assert.equal(before.length, 6);
  assert.equal(text(before[2]), answer, "a tapped answer stands in the conversation as if it had been written");
  await page.reload();
  await chat.messages.nth(before.length - 1).waitFor();
  await chat.ready();
  assert.deepEqual(await chat.transcript(), before, "the conversation is there again");
  assert.deepEqual(problems, []);
  console.log(before.join("\n"));
  await context.close();
}

/** Begins to note how long the newest reply is each time it changes, then acts; the result gives the lengths. */
async function watch(page, act) {
  await new ChatPage(page).log.evaluate((log) => {
    window.lengths = [];
    new MutationObserver(() => {
      const newest = log.lastElementChild?.textContent ?? "";
      if (newest.startsWith("Anna: ")) window.lengths.push(newest.length);
    }).observe(log, { childList: true, subtree: true, characterData: true });
  });
  await act();
  return () => page.evaluate(() => [...new Set(window.lengths)]);
}

async function narrow(browser, base) {
  const { page, context, problems } = await visitor(browser, base, {
    viewport: { width: 360, height: 640 },
    isMobile: true,
    hasTouch: true,
    // Scrolling is done when it is asked for, not some moments later.
    reducedMotion: "reduce",
  });
  const chat = new ChatPage(page);
  await chat.open();
  await assertFits(page);
  await chat.choices.first().tap();
  await chat.reply(1);
  await assertFits(page);
  await chat.say(`https://example.com/${"unbroken".repeat(40)} and then some words`);
  await chat.reply(2);
  await assertFits(page);
  const last = await chat.replies.last().boundingBox();
  const input = await chat.input.boundingBox();
  assert(last.y + last.height <= input.y, "the end of the reply is in view, above the input");
  assert.deepEqual(problems, []);
  await context.close();
}

/** Nothing reaches beyond the window or its own box, and nothing to tap is too small for a finger (WCAG 2.5.8: 24 px). */
async function assertFits(page) {
  const misfits = await page.evaluate(() => {
    const wide = [...document.querySelectorAll("body, body *")].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      // One pixel: text for screen readers alone.
      return width > 1 && (left < 0 || right > window.innerWidth || element.scrollWidth > Math.ceil(width));
    });
    const small = [...document.querySelectorAll("button, textarea, a")].filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return height > 0 && Math.min(width, height) < 24;
    });
    return [...wide, ...small].map((element) => element.outerHTML.slice(0, 120));
  });
  assert.deepEqual(misfits, []);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, page.viewportSize().width, "the page does not scroll sideways");
}

/** Text is text, whoever wrote it: the visitor, or a server that repeats what someone else wrote. */
async function markup(browser, base) {
  const { page, context, problems } = await visitor(browser, base);
  const chat = new ChatPage(page);
  await chat.open();
  await chat.say(`My name is ${MARKUP}`);
  await chat.reply(1);
  const spoken = [{ content: MARKUP }, { content: "", is_final: true, quick_replies: [MARKUP] }];
  await page.route("**/chat/stream", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: spoken.map((event, seq) => `id: 0:${seq + 1}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
    })
  );
  await chat.say(MARKUP);
  assert.equal(await chat.reply(2), MARKUP);
  assert.equal(await chat.choices.textContent(), MARKUP);
  await page.route("**/chat/stream", (route) =>
    route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify({ detail: MARKUP }) })
  );
  await chat.say("Hello");
  assert.match(await page.getByRole("alert").textContent(), /<img src=x/);
  await page.unrouteAll();
  await page.reload();
  await chat.messages.nth(1).waitFor();
  assert.equal(text((await chat.transcript())[0]), `My name is ${MARKUP}`);
  assert.equal(await page.locator("img, b").count(), 0);
  assert.doesNotMatch(await page.title(), /owned/);
  assert.deepEqual(
    problems.filter((problem) => !problem.includes("400 (Bad Request)")),
    []
  );
  await context.close();
}
