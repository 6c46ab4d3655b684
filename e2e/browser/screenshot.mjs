// Takes the picture of the chat page that the README shows: node screenshot.mjs <base url> <file.png> [width]

import { ChatPage, run, visitor } from "./visit.mjs";

const [, file = "chat.png", width = "900"] = process.argv.slice(2);

await run(async (browser, base) => {
  const size = { width: Number(width), height: 820 };
  const { page } = await visitor(browser, base, { viewport: size, colorScheme: "light", reducedMotion: "reduce" });
  const chat = new ChatPage(page);
  await chat.open();
  const messages = ["I would like to book a consultation", "Yes", "My name is John Doe and I need help with hair transplant"];
  for (const [index, message] of messages.entries()) {
    await chat.say(message);
    await chat.reply(index + 1);
  }
  await chat.input.blur();
  await page.screenshot({ path: file, animations: "disabled" });
});
