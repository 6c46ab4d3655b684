"use strict";
const $ = (id) => document.getElementById(id);
const assistant = document.body.dataset.assistant;
const main = document.querySelector("main");
// A browser opens six connections to a server. Some have to remain: to stop a reply, and for another tab.
const MOST_AT_ONCE = 3;
// The api says within two seconds whether it has a message. Who hears nothing for so long has no connection to it.
const ANSWER_MS = 15000;
// The replies that are not whole yet, in the order of their messages.
let running = [];
let loading = "Loading…";

// What is written is only ever text, never markup.
function bubble(direction, text) {
  const element = document.createElement("div");
  element.className = "message " + direction;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = direction === "incoming" ? "You: " : assistant + ": ";
  const content = document.createElement("span");
  content.textContent = text;
  element.append(who, content);
  return element;
}

// Where one writes next, without opening a phone's keyboard for someone who taps.
function toInput() { if (matchMedia("(pointer: fine)").matches) $("text").focus(); }

function isAtEnd() { return main.scrollHeight - main.scrollTop - main.clientHeight < 120; }

function toEnd() { main.scrollTop = main.scrollHeight; }

// The reply that is stopped first: one of which the api and this page know.
function stoppable() { return running.find((reply) => reply.lastId && reply.status !== "lost"); }

// Shows what is going on, and what can be done about it.
function refresh() {
  const ends = running.length ? [running[0], running[running.length - 1]] : [];
  const text = loading || [...new Set(ends.map((reply) => reply.doing()))].join(" ");
  // Said again, it would be read out again.
  if ($("status").textContent !== text) $("status").textContent = text;
  const wasFocused = document.activeElement === $("stop");
  $("stop").hidden = !stoppable();
  if (wasFocused && $("stop").hidden) toInput();
  $("send").disabled = loading !== "" || running.length >= MOST_AT_ONCE;
}

function choices(texts) {
  $("choices").replaceChildren(...texts.map((text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      send(text);
      toInput();
    });
    return button;
  }));
}

function wrong(text, label, action, above) {
  const element = document.createElement("div");
  element.className = "message wrong";
  element.setAttribute("role", "alert");
  element.append(text);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => { element.remove(); action(); });
    element.append(button);
  }
  const atEnd = isAtEnd();
  if (above) above.after(element);
  else $("log").append(element);
  if (atEnd || !above) toEnd();
}

// The response; or, where there is none or not a good one, what to tell the visitor.
async function ask(path, options, failed) {
  const response = await fetch(path, options).catch(() => null);
  if (response && response.ok) return { response };
  const problem = response ? await response.json().catch(() => ({})) : {};
  return {
    text: problem.detail || failed,
    temporary: !response || response.status === 429 || response.status >= 500,
  };
}

// Shows one reply, under its message. A client that appends `content` until `is_final` is right, wherever the events come from.
class Reply {
  constructor(message, text) {
    this.message = message;
    this.text = text;
    // Below this comes what comes next.
    this.last = message;
    this.shown = null;
    this.lastId = "";
    this.status = "";
    this.ahead = 0;
    this.done = false;
    this.whole = new Promise((resolve) => { this.end = resolve; });
  }
  begin() {
    if (!running.includes(this)) running.push(this);
    refresh();
  }
  add(element) {
    this.last.after(element);
    this.last = element;
  }
  say(text) {
    if (!this.shown) {
      this.shown = bubble("outgoing", "");
      this.add(this.shown);
    }
    this.shown.lastChild.append(text);
  }
  clear() {
    if (this.shown) this.shown.lastChild.textContent = "";
  }
  remark(text) {
    const element = document.createElement("p");
    element.className = "remark";
    element.textContent = text;
    this.add(element);
  }
  doing() {
    if (this.status === "stopping") return "Stopping…";
    if (this.status === "lost") return "";
    if (this.status === "waiting") return "Your message is kept; nobody has come to it yet.";
    if (this.status === "queued" && this.ahead) return `Your message waits: ${this.ahead} before it.`;
    return assistant + " is writing…";
  }
  take(id, data) {
    const event = JSON.parse(data);
    const atEnd = isAtEnd();
    if (id) this.lastId = id;
    if (event.reset) this.clear();
    if (event.content) {
      this.say(event.content);
      this.shown.setAttribute("aria-busy", "true");
    }
    if (event.is_final) this.finish(event);
    else if (this.status !== "stopping") {
      this.status = event.status || "";
      this.ahead = event.ahead || 0;
    }
    refresh();
    if (atEnd) toEnd();
  }
  finish(event) {
    this.done = true;
    running = running.filter((reply) => reply !== this);
    for (const reply of running) reply.ahead = Math.max(reply.ahead - 1, 0);
    const erased = event.error && event.error.code === "erased";
    if (this.shown) this.shown.removeAttribute("aria-busy");
    if (this.shown && erased) {
      this.shown.remove();
      this.last = this.message;
    }
    if (event.status === "stopped") this.remark("Stopped");
    if (event.degraded) this.remark(assistant + " answered without knowing the conversation so far.");
    if (event.error) wrong(event.error.message, "Send again", !erased && (() => send(this.text)), this.last);
    else if (!running.length) choices(event.quick_replies || []);
    this.end();
  }
  // The connection broke, the reply did not: go on after the last event.
  resume(tries = 0) {
    const source = new EventSource("/chat/stream?last_event_id=" + encodeURIComponent(this.lastId));
    if (this.status === "lost") this.status = "";
    this.begin();
    source.onmessage = (message) => {
      tries = 0;
      this.take(message.lastEventId, message.data);
      if (this.done) source.close();
    };
    source.onerror = () => {
      if (this.done || source.readyState !== EventSource.CLOSED) return;
      // An answer that is no stream, such as a 503 of an api that has just started: EventSource gives up, we do not yet.
      if (tries < 5) return setTimeout(() => this.resume(tries + 1), 500 * 2 ** tries);
      this.status = "lost";
      refresh();
      wrong("The connection was lost.", "Go on", () => this.resume(), this.last);
    };
  }
}

function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function readEvents(response, reply) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += decoder.decode(value, { stream: true });
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      let id = "", data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("id: ")) id = line.slice(4);
        if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (data) reply.take(id, data);
    }
  }
}

// What came of the message before: until then the next one waits, or it could overtake it on a connection of its own.
let sent = Promise.resolve();

// The same key makes a repetition the same message: it is answered once.
async function attempt(reply, idempotencyKey) {
  reply.begin();
  sent = sent.then(async () => {
    const late = new AbortController();
    const alarm = setTimeout(() => late.abort(), ANSWER_MS);
    const answer = await ask("/chat/stream", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey },
      body: JSON.stringify({ content: reply.text }),
      signal: late.signal,
    }, "Your message could not be sent.");
    clearTimeout(alarm);
    return answer;
  });
  const { response, text, temporary } = await sent;
  if (!response) {
    running = running.filter((other) => other !== reply);
    refresh();
    return wrong(text, "Try again", temporary && (() => attempt(reply, idempotencyKey)), reply.last);
  }
  reply.lastId = response.headers.get("X-Request-ID") + ":0";
  refresh();
  try {
    await readEvents(response, reply);
  } catch { /* resumed below */ }
  if (!reply.done) reply.resume();
}

function send(text) {
  choices([]);
  const message = bubble("incoming", text);
  $("log").append(message);
  toEnd();
  attempt(new Reply(message, text), key());
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  if ($("send").disabled || !text.trim()) return;
  $("text").value = "";
  grow();
  send(text);
  $("text").focus();
});

$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("form").requestSubmit();
  }
});

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = $("text").scrollHeight + 2 + "px";
}
$("text").addEventListener("input", grow);

// Stops the reply that runs; those to later messages follow.
async function stop() {
  const reply = stoppable();
  if (!reply || reply.status === "stopping") return;
  reply.status = "stopping";
  refresh();
  const [request] = reply.lastId.split(":");
  const { response, text } = await ask("/chat/stop?request_id=" + request, { method: "POST" }, "The reply could not be stopped.");
  const outcome = response && (await response.json().catch(() => ({}))).status;
  if (reply.done || outcome === "stopped" || outcome === "requested") return;
  // Too late, or not heard: it goes on to its end.
  reply.status = "";
  refresh();
  if (!response) wrong(text, "Try again", stop);
}
$("stop").addEventListener("click", stop);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !$("dialog").open) stop();
});

$("ask").addEventListener("click", () => $("dialog").showModal());
$("keep").addEventListener("click", () => $("dialog").close());
$("erase").addEventListener("click", async () => {
  $("erase").disabled = true;
  const { response, text } = await ask("/chat/history", { method: "DELETE" }, "The conversation could not be erased.");
  // Nothing of it may be left here either, nor of what is still on its way.
  if (response) return location.reload();
  $("erase").disabled = false;
  $("dialog").close();
  wrong(text, "Try again", () => $("erase").click());
});

// Shows a page of stored messages above what is shown. The replies that are still to come.
async function loadHistory(before) {
  const { response } = await ask("/chat/history" + (before ? "?before=" + encodeURIComponent(before) : ""));
  if (!response) throw new Error("history");
  const page = await response.json();
  const first = $("log").firstChild;
  const replies = new Map();
  for (const message of page.messages) {
    const text = [message.content, ...message.media.map((item) => item.url)].filter(Boolean).join("\n");
    let reply = replies.get(message.reply_to);
    if (!reply) {
      // A message, or the reply to one on the page before.
      const element = bubble(message.direction, text);
      element.hidden = !text;
      $("log").insertBefore(element, first);
      reply = new Reply(element, message.content);
      reply.lastId = message.id + ":0";
      replies.set(message.id, reply);
    } else if (text) {
      reply.say(text);
    }
    if (message.status === "stopped") reply.remark("Stopped");
  }
  $("earlier").hidden = !page.next_before;
  $("earlier").onclick = () => loadHistory(page.next_before).catch(() => {});
  const pending = page.messages.filter((message) => message.status === "pending");
  return { messages: page.messages, pending: pending.map((message) => replies.get(message.id)) };
}

async function start() {
  refresh();
  let messages = [], pending = [];
  try {
    // The first answer also sets the cookie that this conversation belongs to.
    ({ messages, pending } = await loadHistory());
  } catch {
    wrong("Earlier messages cannot be shown at the moment.", "", null);
  }
  loading = "";
  running.push(...pending);
  refresh();
  toEnd();
  const last = messages[messages.length - 1];
  if (!last) {
    choices(["I would like to book a consultation", "Which treatments do you offer?", "When are you open?"]);
  } else if (!pending.length && last.reply_to) {
    // The final event has the answers to choose from, which are not part of the text.
    const source = new EventSource("/chat/stream?last_event_id=" + encodeURIComponent(last.reply_to + ":0"));
    source.onerror = () => source.close();
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (!event.is_final) return;
      source.close();
      if (!running.length) choices(event.quick_replies || []);
      toEnd();
    };
  }
  for (const reply of pending) {
    reply.resume();
    await reply.whole;
  }
}
document.querySelector(".mark").textContent = assistant.charAt(0);
toInput();
start();
