"use strict";
const $ = (id) => document.getElementById(id);
const assistant = document.body.dataset.assistant;
const main = document.querySelector("main");
let busy = false;

// What is written is only ever text, never markup.
function bubble(direction, text, before) {
  const element = document.createElement("div");
  element.className = "message " + direction;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = direction === "incoming" ? "You: " : assistant + ": ";
  const content = document.createElement("span");
  content.textContent = text;
  element.append(who, content);
  $("log").insertBefore(element, before || null);
  return { element, content };
}

// Where one writes next, without opening a phone's keyboard for someone who taps.
function toInput() { if (matchMedia("(pointer: fine)").matches) $("text").focus(); }

function toEnd() { main.scrollTop = main.scrollHeight; }

function setBusy(now, text) {
  busy = now;
  $("send").disabled = now;
  $("status").textContent = now ? text || assistant + " is writing…" : "";
}

function choices(texts) {
  $("choices").replaceChildren(...texts.map((text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      if (busy) return;
      send(text);
      toInput();
    });
    return button;
  }));
}

function wrong(text, label, action) {
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
  $("log").append(element);
  setBusy(false);
  toEnd();
}

// Shows one reply. A client that appends `content` until `is_final` is right, wherever the events come from.
class Reply {
  constructor(text) {
    this.text = text;
    this.lastId = "";
    this.shown = null;
    this.done = false;
  }
  take(id, data) {
    const event = JSON.parse(data);
    if (id) this.lastId = id;
    if (event.content || event.reset) {
      const atEnd = main.scrollHeight - main.scrollTop - main.clientHeight < 120;
      if (!this.shown) {
        this.shown = bubble("outgoing", "");
        this.shown.element.setAttribute("aria-busy", "true");
      }
      if (event.reset) this.shown.content.textContent = "";
      this.shown.content.append(event.content);
      if (atEnd) toEnd();
    }
    if (!event.is_final) return;
    this.done = true;
    if (this.shown) this.shown.element.removeAttribute("aria-busy");
    setBusy(false);
    if (event.error) wrong(event.error.message, "Send again", this.text && (() => attempt(this.text, key())));
    else choices(event.quick_replies || []);
    toEnd();
  }
  // The connection broke, the reply did not: go on after the last event.
  resume(tries = 0) {
    const source = new EventSource("/chat/stream?last_event_id=" + encodeURIComponent(this.lastId));
    setBusy(true);
    source.onmessage = (message) => {
      tries = 0;
      this.take(message.lastEventId, message.data);
      if (this.done) source.close();
    };
    source.onerror = () => {
      if (this.done || source.readyState !== EventSource.CLOSED) return;
      // An answer that is no stream, such as a 503 of an api that has just started: EventSource gives up, we do not yet.
      if (tries < 5) setTimeout(() => this.resume(tries + 1), 500 * 2 ** tries);
      else wrong("The connection was lost.", "Go on", () => this.resume());
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

// The same key makes a repetition the same message: it is answered once.
async function attempt(text, idempotencyKey) {
  setBusy(true);
  const again = () => attempt(text, idempotencyKey);
  const reply = new Reply(text);
  let response;
  try {
    response = await fetch("/chat/stream", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey },
      body: JSON.stringify({ content: text }),
    });
  } catch {
    return wrong("Your message could not be sent.", "Try again", again);
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    const temporary = response.status === 429 || response.status >= 500;
    return wrong(problem.detail || "Something went wrong.", "Try again", temporary && again);
  }
  reply.lastId = response.headers.get("X-Request-ID") + ":0";
  try {
    await readEvents(response, reply);
  } catch { /* resumed below */ }
  if (!reply.done) reply.resume();
}

function send(text) {
  choices([]);
  for (const old of document.querySelectorAll(".wrong")) old.remove();
  bubble("incoming", text);
  toEnd();
  attempt(text, key());
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (busy || !text.trim()) return;
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

async function loadHistory(before) {
  const query = before ? "?before=" + encodeURIComponent(before) : "";
  const response = await fetch("/chat/history" + query);
  if (!response.ok) throw new Error("history");
  const page = await response.json();
  const first = $("log").firstChild;
  for (const message of page.messages) {
    const links = message.media.map((item) => item.url);
    const text = [message.content, ...links].filter(Boolean).join("\n");
    if (text) bubble(message.direction, text, first);
  }
  $("earlier").hidden = !page.next_before;
  $("earlier").onclick = () => loadHistory(page.next_before).catch(() => {});
  return page.messages;
}

async function start() {
  setBusy(true, "Loading…");
  let messages = [];
  try {
    // The first answer also sets the cookie that this conversation belongs to.
    messages = await loadHistory();
  } catch {
    wrong("Earlier messages cannot be shown at the moment.", "", null);
  }
  setBusy(false);
  toEnd();
  const last = messages[messages.length - 1];
  if (last && last.direction === "incoming" && last.status === "pending") {
    const reply = new Reply(last.content);
    reply.lastId = last.id + ":0";
    reply.resume();
  } else if (last && last.reply_to) {
    // The final event has the answers to choose from, which are not part of the text.
    const source = new EventSource("/chat/stream?last_event_id=" + encodeURIComponent(last.reply_to + ":0"));
    source.onerror = () => source.close();
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (!event.is_final) return;
      source.close();
      if (!busy) choices(event.quick_replies || []);
      toEnd();
    };
  } else if (!messages.length) {
    choices(["I would like to book a consultation", "Which treatments do you offer?", "When are you open?"]);
  }
}
document.querySelector(".mark").textContent = assistant.charAt(0);
toInput();
start();
