// Owns the answer to "who is this?": passwords, service secrets and tokens, for the broker and for HTTP alike.
import { createHmac, randomBytes } from 'node:crypto';
import { type Identity, isService } from '../access.ts';
import type { ServiceName } from '../contract.ts';
import type { AccessFile } from './access-file.ts';
import { digestOf, matchesDigest, PASSWORD_LENGTH_MAX, verifyPassword } from './password.ts';

/** Wrong passwords that one user may send from one address before each further try waits. */
const FREE_FAILURES = 5;
const LOCK_MS_FIRST = 1_000;
const LOCK_MS_MAX = 60_000;
const TRACKED_MAX = 10_000;
/** Passwords found right and not hashed again: an MQTT client that reconnects each second must not cost a core. */
const REMEMBERED_MAX = 256;

export type Answer = Identity | { readonly refused: string };

interface Failures {
  count: number;
  locked_until_ms: number;
}

/** Judges credentials against the access file; counts failures per user and address together. */
export class Authenticator {
  readonly file: AccessFile;
  readonly #now: () => number;
  readonly #pepper = randomBytes(32);
  readonly #remembered = new Map<string, string>();
  readonly #failures = new Map<string, Failures>();
  /** The newest try of each user and address that is being judged; it never rejects. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(file: AccessFile, now: () => number = Date.now) {
    this.file = file;
    this.#now = now;
  }

  /** Judges a user or service name with its password. The answer to a wrong name and to a wrong password is the same. */
  async password(name: string, password: string, address: string): Promise<Answer> {
    const key = `${address}\n${name}`;
    // One try after the other: many at once would all be judged before the first failure counts.
    const before = this.#underWay.get(key);
    const answer = before ? before.then(() => this.#try(key, name, password)) : this.#try(key, name, password);
    const settled = answer.then(ignore, ignore);
    this.#underWay.set(key, settled);
    try {
      return await answer;
    } finally {
      if (this.#underWay.get(key) === settled) this.#underWay.delete(key);
    }
  }

  async #try(key: string, name: string, password: string): Promise<Answer> {
    const waitMs = this.#waitMs(key);
    if (waitMs > 0) return { refused: `too many wrong passwords, wait ${Math.ceil(waitMs / 1000)} s` };
    const identity = await this.#judge(name, password);
    if (identity) {
      this.#failures.delete(key);
      return identity;
    }
    this.#onFailure(key);
    return { refused: 'unknown user or wrong password' };
  }

  /** Judges an API token. */
  token(token: string): Identity | undefined {
    const digest = digestOf(token);
    for (const [user, entry] of Object.entries(this.file.read().users))
      if (entry.tokens.some((known) => known.digest === digest)) return { user, role: entry.role };
    return undefined;
  }

  /** The identity of a known user; `undefined` when there is none of that name. */
  user(name: string): Identity | undefined {
    const { users } = this.file.read();
    const entry = Object.hasOwn(users, name) ? users[name] : undefined;
    return entry && { user: name, role: entry.role };
  }

  async #judge(name: string, password: string): Promise<Identity | undefined> {
    const { users, services } = this.file.read();
    if (isService(name as ServiceName)) {
      const digest = services[name];
      return digest !== undefined && matchesDigest(password, digest)
        ? { user: name, role: name as ServiceName }
        : undefined;
    }
    const entry = Object.hasOwn(users, name) ? users[name] : undefined;
    if (password.length > PASSWORD_LENGTH_MAX) return undefined;
    const byToken = this.token(password); // a token of the user is as good as the password
    if (byToken?.user === name) return byToken;
    // An unknown name costs as much as a known one, so that answers do not tell which names exist.
    const hash = entry?.password ?? UNKNOWN_USER_HASH;
    return (await this.#verify(name, password, hash)) && entry ? { user: name, role: entry.role } : undefined;
  }

  async #verify(name: string, password: string, hash: string): Promise<boolean> {
    const key = createHmac('sha256', this.#pepper).update(`${name}\n${password}`).digest('base64url');
    if (this.#remembered.get(key) === hash) return true;
    const right = await verifyPassword(password, hash);
    if (right) remember(this.#remembered, key, hash, REMEMBERED_MAX);
    return right;
  }

  #waitMs(key: string): number {
    return (this.#failures.get(key)?.locked_until_ms ?? 0) - this.#now();
  }

  #onFailure(key: string): void {
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    const over = count - FREE_FAILURES;
    const lockMs = over < 0 ? 0 : Math.min(LOCK_MS_FIRST * 2 ** over, LOCK_MS_MAX);
    remember(this.#failures, key, { count, locked_until_ms: this.#now() + lockMs }, TRACKED_MAX);
  }
}

const ignore = (): void => undefined;

/** Puts an entry at the young end of a bounded map; the oldest leaves when it is full. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) for (const oldest of map.keys()) return void map.delete(oldest);
}

/** No password has this hash; its cost is that of a real one. */
const UNKNOWN_USER_HASH = `scrypt$32768$8$1$${randomBytes(16).toString('base64url')}$${randomBytes(32).toString('base64url')}`;
