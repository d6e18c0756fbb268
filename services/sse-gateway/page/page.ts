// Owns the plain page: log in, see every device and what happens, and whether it is live.

interface Device {
  readonly id: string;
  readonly state: string;
  readonly at: string;
}
interface Update {
  readonly topic: string;
  readonly payload: unknown;
}

const TEXTS = {
  fr: {
    user: 'Utilisateur',
    password: 'Mot de passe',
    login: 'Se connecter',
    logout: 'Se déconnecter',
    devices: 'Dispositifs',
    events: 'Évènements',
    none: 'Aucun dispositif ne s’est encore manifesté.',
    hint: 'Le premier mot de passe s’affiche avec « make credentials ».',
    live: 'en direct',
    wait: 'connexion…',
    lost: 'connexion perdue, nouvel essai…',
    broker: 'Le broker ne répond pas : les états affichés peuvent être anciens.',
    gap: 'évènements sautés',
    offline: 'Le serveur ne répond pas.',
  },
  en: {
    user: 'User',
    password: 'Password',
    login: 'Log in',
    logout: 'Log out',
    devices: 'Devices',
    events: 'Events',
    none: 'No device has been heard of yet.',
    hint: 'The first password is shown by “make credentials”.',
    live: 'live',
    wait: 'connecting…',
    lost: 'connection lost, trying again…',
    broker: 'The broker does not answer: the states shown may be old.',
    gap: 'events skipped',
    offline: 'The server does not answer.',
  },
} as const;

type Text = keyof (typeof TEXTS)['fr'];
type Link = 'live' | 'wait' | 'lost';

const EVENTS_SHOWN_MAX = 100;
const ON_STATES = new Set(['on', 'open', 'group on', 'true']);

const preferred = (navigator.language || '').slice(0, 2);
const language =
  preferred === 'fr' || preferred === 'en' ? preferred : document.documentElement.lang === 'en' ? 'en' : 'fr';
document.documentElement.lang = language;
const text = (name: Text): string => TEXTS[language][name];

function byId<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`expected an element #${id}`);
  return found as Kind;
}

const login = byId<HTMLFormElement>('login');
const house = byId('house');
const link = byId('link');
const banner = byId('banner');
const logout = byId<HTMLButtonElement>('logout');
const devices = byId<HTMLUListElement>('devices');
const events = byId<HTMLOListElement>('events');
const fault = byId('login-fault');

const cards = new Map<string, HTMLLIElement>();
let source: EventSource | undefined;
let lastEventId = '';

for (const element of document.querySelectorAll<HTMLElement>('[data-text]'))
  element.textContent = text(element.dataset.text as Text);
logout.textContent = text('logout');

function showLink(state: Link): void {
  link.dataset.link = state;
  link.textContent = text(state);
}

const clock = (iso: string): string => new Date(iso).toLocaleTimeString(language);

function cardOf(id: string): HTMLLIElement {
  const known = cards.get(id);
  if (known) return known;
  const card = document.createElement('li');
  const name = document.createElement('span');
  name.textContent = id;
  const state = document.createElement('strong');
  state.className = 'state';
  card.append(name, state, document.createElement('time'));
  card.dataset.device = id;
  cards.set(id, card);
  devices.append(card);
  byId('no-devices').hidden = true;
  byId('count').textContent = String(cards.size);
  return card;
}

function showDevice({ id, state, at }: Device): void {
  const card = cardOf(id);
  card.toggleAttribute('data-on', ON_STATES.has(state.toLowerCase()) || state.toLowerCase().startsWith('set level'));
  const [, shown, time] = card.children;
  if (shown) shown.textContent = state;
  if (time) time.textContent = clock(at);
}

function showEvent(line: string, at: string): void {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = clock(at);
  item.append(time, ` ${line}`);
  events.prepend(item);
  while (events.children.length > EVENTS_SHOWN_MAX) events.lastElementChild?.remove();
}

const isDevice = (payload: unknown): payload is Device =>
  payload !== null && typeof payload === 'object' && 'id' in payload && 'state' in payload && 'at' in payload;

function onUpdate({ topic, payload }: Update): void {
  const now = new Date().toISOString();
  if (/^monitor\/(?:maj|ha|state\/.*)$/u.test(topic) && isDevice(payload)) {
    showDevice(payload);
    if (!topic.startsWith('monitor/state/')) showEvent(`${payload.id} → ${payload.state}`, payload.at);
  } else {
    showEvent(`${topic} ${JSON.stringify(payload) ?? ''}`, now);
  }
}

function onSnapshot(states: readonly Device[]): void {
  cards.clear();
  devices.replaceChildren();
  byId('no-devices').hidden = states.length > 0;
  byId('count').textContent = '';
  for (const device of [...states].sort((a, b) => a.id.localeCompare(b.id, language, { numeric: true })))
    showDevice(device);
}

/** One event as JSON; remembers its id, for a page that was hidden and starts over. */
function listen(stream: EventSource, name: string, handle: (data: never) => void): void {
  stream.addEventListener(name, (event) => {
    const message = event as MessageEvent<string>;
    if (message.lastEventId !== '') lastEventId = message.lastEventId;
    handle(JSON.parse(message.data) as never);
  });
}

function open(): void {
  source?.close();
  showLink('wait');
  const stream = new EventSource(
    lastEventId === '' ? '/api/v1/stream' : `/api/v1/stream?lastEventId=${encodeURIComponent(lastEventId)}`,
  );
  source = stream;
  stream.addEventListener('open', () => showLink('live'));
  stream.addEventListener('error', () => void onStreamError(stream));
  listen(stream, 'snapshot', ({ states }: { states: readonly Device[] }) => onSnapshot(states));
  listen(stream, 'update', (update: Update) => onUpdate(update));
  listen(stream, 'gap', ({ dropped }: { dropped: number }) =>
    showEvent(`${dropped} ${text('gap')}`, new Date().toISOString()),
  );
  listen(stream, 'link', ({ broker }: { broker: boolean }) => {
    banner.hidden = broker;
    banner.textContent = broker ? '' : text('broker');
  });
}

/** EventSource tries again by itself, unless the answer was a refusal: then the session is over. */
async function onStreamError(stream: EventSource): Promise<void> {
  showLink('lost');
  if (stream.readyState === EventSource.CLOSED) await begin();
}

const RETRY_MS = 3_000;

async function begin(): Promise<void> {
  try {
    const answer = await fetch('/api/v1/session');
    const known = answer.ok;
    if (answer.status >= 500) throw new Error(String(answer.status));
    login.hidden = known;
    house.hidden = !known;
    logout.hidden = !known;
    if (known) open();
    else {
      source?.close();
      link.textContent = '';
      link.dataset.link = 'wait';
    }
  } catch {
    // The server is away: the screen says so and tries again.
    showLink('lost');
    setTimeout(() => void begin(), RETRY_MS);
  }
}

async function onLogin(form: HTMLFormElement): Promise<void> {
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  try {
    const answer = await fetch('/api/v1/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const said = (await answer.json()) as { message?: string };
    fault.textContent = answer.ok ? '' : (said.message ?? String(answer.status));
    if (answer.ok) {
      form.reset();
      await begin();
    }
  } catch {
    fault.textContent = text('offline');
  }
}

login.addEventListener('submit', (event) => {
  event.preventDefault();
  void onLogin(login);
});
logout.addEventListener('click', async () => {
  await fetch('/api/v1/logout', { method: 'POST' });
  source?.close();
  lastEventId = '';
  onSnapshot([]);
  events.replaceChildren();
  await begin();
});
// A hidden page holds no connection: browsers allow six per site, and a tablet sleeps better.
document.addEventListener('visibilitychange', () => {
  if (house.hidden) return;
  if (document.hidden) source?.close();
  else open();
});

await begin();
