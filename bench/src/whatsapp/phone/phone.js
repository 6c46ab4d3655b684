// Plays a customer's phone: shows the conversation as the simulator has it, and does what its owner does.
'use strict';

const at = (id) => document.getElementById(id);
const [provider, number, name, log] = ['provider', 'number', 'name', 'log'].map(at);

// What can happen to a reply, as the simulator's rules have it.
const FAULTS = {
  both: [
    ['accept_and_drop', 'arrives, and the clinic gets no answer'],
    ['drop', 'is lost with the connection'],
    ['accept_and_garbage', 'arrives, and the answer makes no sense'],
    [{ http: 503 }, 'finds the provider down (503)'],
  ],
  meta: [130429, 131056, 131047, 190, 131026, 130472, 131049, 131051, 100, 4, 80007, 1, 2],
  twilio: [63016, 63018, 429, 21617],
};

const remembered = JSON.parse(localStorage.getItem('phone') || '{}');
number.value = remembered.number || '16505551234';
name.value = remembered.name || 'Sheena Nelson';
provider.value = remembered.provider || 'meta';

let shown = new Map(); // id → {json, element}
let editing = null;
let polling = null;

function problem(text) {
  at('problem').hidden = !text;
  at('problem').textContent = text || '';
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()) || `status ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

const json = (method, body) => ({ method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function act(what) {
  try {
    problem('');
    await ask('/phone/act', json('POST', {
      provider: provider.value, number: number.value.trim(), name: name.value,
      seconds_ago: Number(at('ago').value), copies: Number(at('copies').value), ...what,
    }));
    return true;
  } catch (error) {
    problem(error.message);
    return false;
  }
}

// WhatsApp's marks: *bold*, _italic_, ~struck~, `code` and ```code```, within a line but for the last.
const MARKS = [
  [/```([^]+?)```/, 'code'], [/`([^`\n]+)`/, 'code'],
  [/(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])/, 'strong'],
  [/(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])/, 'em'],
  [/(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])/, 's'],
];

function write(text, into) {
  let first = null;
  for (const [pattern, tag] of MARKS) {
    const match = pattern.exec(text);
    if (match && (!first || match.index < first.match.index)) first = { match, tag };
  }
  if (!first) {
    into.append(text);
    return;
  }
  const { match, tag } = first;
  into.append(text.slice(0, match.index));
  const element = document.createElement(tag);
  if (tag === 'code') element.textContent = match[1];
  else write(match[1], element);
  into.append(element);
  write(text.slice(match.index + match[0].length), into);
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(title, action) {
  const element = make('button', '', title);
  element.type = 'button';
  element.addEventListener('click', action);
  return element;
}

function media([id, kind]) {
  const source = `/phone/file/${provider.value}/${encodeURIComponent(id)}`;
  if (kind.startsWith('image/')) return Object.assign(make('img'), { src: source, alt: 'A picture' });
  if (kind.startsWith('audio/')) return Object.assign(make('audio'), { src: source, controls: true });
  return make('div', '', `📎 ${kind}`);
}

const TICKS = { waiting: ['🕓', 'not taken yet'], taken: ['✓✓', 'taken'], read: ['✓✓', 'read'] };

function draw(bubble) {
  const element = make('div', `bubble ${bubble.mine ? 'mine' : 'clinic'}`);
  element.dataset.id = bubble.id;
  element.classList.toggle('deleted', bubble.deleted);
  if (bubble.media) element.append(media(bubble.media));
  const text = make('div', 'text');
  if (bubble.deleted) text.textContent = 'You deleted this message';
  else write(bubble.text, text);
  element.append(text);
  if (bubble.buttons.length) {
    const choices = make('div', 'choices');
    for (const [id, title] of bubble.buttons) choices.append(button(title, () => act({ act: 'button', id, title })));
    element.append(choices);
  }
  element.append(foot(bubble));
  return element;
}

function foot(bubble) {
  const foot = make('div', 'foot');
  const meta = provider.value === 'meta';
  if (bubble.mine && !bubble.deleted && meta) {
    if (bubble.text && !bubble.media) foot.append(button('Edit', () => edit(bubble)));
    foot.append(button('Delete', () => act({ act: 'delete', of: bubble.id })));
  }
  if (!bubble.mine && meta) foot.append(button('👍', () => act({ act: 'reaction', of: bubble.id })));
  if (bubble.edited) foot.append(make('span', '', 'edited'));
  if (bubble.told.length) foot.append(make('span', 'told', `told: ${bubble.told.join(', ')}`));
  const time = new Date(bubble.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  foot.append(make('span', '', time));
  if (bubble.mine) {
    const [sign, words] = TICKS[bubble.ticks];
    const ticks = make('span', `ticks ${bubble.ticks}`, sign);
    ticks.setAttribute('role', 'img');
    ticks.setAttribute('aria-label', words);
    ticks.title = words;
    foot.append(ticks);
  }
  return foot;
}

function edit(bubble) {
  editing = bubble.id;
  at('text').value = bubble.text;
  at('editing').hidden = false;
  at('text').focus();
}

function stopEditing() {
  editing = null;
  at('editing').hidden = true;
}

// Only what has changed is drawn anew, so that a voice note that plays goes on.
function show(view) {
  at('status').textContent = view.typing ? 'typing…' : '';
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const next = new Map();
  for (const bubble of view.bubbles) {
    const text = JSON.stringify(bubble);
    const before = shown.get(bubble.id);
    next.set(bubble.id, before && before.json === text ? before : { json: text, element: draw(bubble) });
  }
  for (const [id, { element }] of shown) if (!next.has(id) || next.get(id).element !== element) element.remove();
  let place = log.firstChild;
  for (const { element } of next.values()) {
    if (element === place) place = place.nextSibling;
    else log.insertBefore(element, place);
  }
  shown = next;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function follow() {
  if (polling) polling.abort();
  const own = polling = new AbortController();
  shown = new Map();
  log.replaceChildren();
  localStorage.setItem('phone', JSON.stringify({ provider: provider.value, number: number.value, name: name.value }));
  for (const element of document.querySelectorAll('.meta')) element.hidden = provider.value !== 'meta';
  offerFaults();
  let after = null;
  while (!own.signal.aborted) {
    const query = new URLSearchParams({ provider: provider.value, number: number.value.trim() });
    if (after !== null) query.set('after', after);
    try {
      const view = await ask(`/phone/screen?${query}`, { signal: own.signal });
      after = view.version;
      show(view);
      problem('');
      report();
    } catch (error) {
      if (own.signal.aborted) return;
      after = null;
      at('status').textContent = 'The simulator does not answer';
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function offerFaults() {
  const choices = FAULTS.both.concat(FAULTS[provider.value].map((code) => [{ error: code }, `is refused with ${code}`]));
  if (provider.value === 'meta') choices.push([{ fail_later: 131047 }, 'is accepted, and fails later with 131047']);
  else choices.push([{ fail_later: 63016 }, 'is accepted, and fails later with 63016']);
  const options = choices.map(([fault, words]) => Object.assign(make('option', '', words), { value: JSON.stringify(fault) }));
  at('fault').replaceChildren(...options);
}

async function report() {
  const of = `/sim/${provider.value}`;
  const [faults, summary] = await Promise.all([ask(`${of}/faults`), ask(`${of}/summary`)]);
  const happening = faults.map((rule) => JSON.stringify(rule.fault)).join(', ');
  at('planned').textContent = happening ? `Still to happen: ${happening}` : '';
  const { statuses, median_ms, p99_ms } = summary.webhooks;
  const answers = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`).join(', ');
  at('report').textContent = [
    `messages accepted    ${summary.accepted}`,
    `refused or lost      ${summary.refused}`,
    `sent more than once  ${summary.repeated}`,
    `webhooks answered    ${answers || 'none'}`,
    `on their way         ${summary.pending}`,
    `answer time          median ${median_ms.toFixed(1)} ms, p99 ${p99_ms.toFixed(1)} ms`,
  ].join('\n');
}

async function set(path, options) {
  try {
    await ask(path, options);
    await report();
  } catch (error) {
    problem(error.message);
  }
}

at('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = at('text').value.trim();
  if (!text) return;
  const what = editing ? { act: 'edit', of: editing, text } : { act: 'text', text };
  at('text').value = '';
  stopEditing();
  if (!(await act(what))) at('text').value = text;
});
at('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at('form').requestSubmit();
  }
});
at('give-up').addEventListener('click', () => {
  at('text').value = '';
  stopEditing();
});
at('things').addEventListener('click', (event) => {
  if (event.target.dataset.act) act({ act: event.target.dataset.act });
});
at('choose').addEventListener('click', () => at('file').click());
at('file').addEventListener('change', async () => {
  const [file] = at('file').files;
  at('file').value = '';
  if (!file) return;
  try {
    const headers = { 'content-type': file.type || 'application/octet-stream' };
    const { media } = await ask(`/phone/file?provider=${provider.value}`, { method: 'POST', headers, body: file });
    await act({ act: 'file', media });
  } catch (error) {
    problem(error.message);
  }
});
at('another').addEventListener('click', () => {
  number.value = `1650555${String(Math.floor(Math.random() * 10_000)).padStart(4, '0')}`;
  follow();
});
for (const element of [provider, number, name]) element.addEventListener('change', follow);
at('plan').addEventListener('click', () => {
  const rule = { fault: JSON.parse(at('fault').value), times: 1 };
  set(`/sim/${provider.value}/faults`, json('POST', rule));
});
at('clear').addEventListener('click', () => set(`/sim/${provider.value}/faults`, { method: 'DELETE' }));
at('statuses').addEventListener('change', () => {
  const states = at('statuses').value.split(',').filter(Boolean);
  const copies = states.length ? 1 : 0;
  set(`/sim/${provider.value}/statuses`, json('PUT', { states, copies, after_ms: 150, every_ms: 600 }));
});
follow();
