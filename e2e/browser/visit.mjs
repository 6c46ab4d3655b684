// Opens pages in Chromium as a visitor would, and fails on what no visit may show: errors and requests to elsewhere.

import { strict as assert } from "node:assert";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

// A scenario that waits longer for one thing, or takes longer as a whole, has failed. The caller's deadline is longer, so that
// these speak first.
const PATIENCE_MS = 30_000;
const DEADLINE_MS = 110_000;

const PROGRAMS = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
const MAC_APPS = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

// The pages are our own, so the sandbox is not needed; as root and in containers it cannot start.
const ARGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-gpu",
];

function executable() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = [...PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))), ...MAC_APPS];
  const found = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  assert(found, "no Chromium on PATH: `make setup-browser` installs it");
  return found;
}

/** Runs `scenario(browser, base)`, where `base` is the first argument of the program; closes the browser whatever happens. */
export async function run(scenario) {
  const [base] = process.argv.slice(2);
  assert(base, "usage: node <scenario>.mjs <base url>");
  const browser = await chromium.launch({ executablePath: executable(), args: ARGS });
  let alarm;
  const late = new Promise((_, reject) => {
    alarm = setTimeout(() => reject(new Error(`not done after ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
  });
  try {
    await Promise.race([scenario(browser, base), late]);
  } finally {
    clearTimeout(alarm);
    await browser.close();
  }
}

/** A page of a visitor nobody knows yet. What went wrong in it is listed in `problems`. */
export async function visitor(browser, base, options = {}) {
  const context = await browser.newContext({ baseURL: base, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    // For a page that names no icon, a browser asks here by itself.
    if (message.location().url.endsWith("/favicon.ico")) return;
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`script: ${error}`));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(base).origin) problems.push(`elsewhere: ${request.url()}`);
  });
  return { context, page, problems };
}

/** The chat page by role and label, as people and screen readers find things. */
export class ChatPage {
  constructor(page) {
    this.page = page;
    this.log = page.getByRole("log", { name: "Conversation" });
    this.input = page.getByRole("textbox", { name: "Your message" });
    this.send = page.getByRole("button", { name: "Send", exact: true });
    this.stop = page.getByRole("button", { name: "Stop the reply" });
    this.status = page.getByRole("status");
    this.alerts = page.getByRole("alert");
    this.choices = page.getByRole("group", { name: "Suggested answers" }).getByRole("button");
    // Each message says who wrote it, for those who do not see on which side it stands.
    this.replies = this.log.locator(":scope > *").filter({ hasText: /^Anna: / });
    this.messages = this.log.locator(":scope > *").filter({ hasText: /^(Anna|You): / });
  }

  async open() {
    await this.page.goto("/");
    await this.ready();
  }

  /** Until nothing is being loaded or written. */
  async ready() {
    await this.status.and(this.page.locator(":empty")).waitFor({ state: "attached" });
    await this.send.and(this.page.locator(":enabled")).waitFor();
  }

  /** Until the status line says `text`. */
  async doing(text) {
    await this.status.filter({ hasText: text }).waitFor();
  }

  async say(text) {
    await this.input.fill(text);
    await this.send.click();
  }

  /** Waits until `count` replies are there and the last is complete, and returns that one's text. */
  async reply(count) {
    await this.replies.nth(count - 1).waitFor();
    await this.ready();
    assert.equal(await this.replies.count(), count, "each message has one reply");
    return text(await this.replies.nth(count - 1).textContent());
  }

  async transcript() {
    return this.messages.allTextContents();
  }

  /** The same, with what stands between the messages. */
  async everything() {
    return this.log.locator(":scope > *").allTextContents();
  }

  /** What the api has stored, in the order of the messages. */
  async history() {
    const { messages } = await this.page.evaluate(async () => (await fetch("/chat/history")).json());
    return messages;
  }
}

/** A message without its writer. */
export function text(message) {
  return message.replace(/^(Anna|You): /, "");
}

/** The text and the ids of a reply's events, as they stood in the body of a POST. */
export function parse(body) {
  const blocks = body.split("\n\n").filter((block) => block.includes("data: "));
  return blocks.map((block) => {
    const field = (name) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    return { id: field("id"), ...JSON.parse(field("data")) };
  });
}

/** What a client assembles from events. */
export function assembled(events) {
  return events.map((event) => event.content).join("");
}
