// Owns what a process knows of who may come in by HTTP: the gate's settings, revoked sessions, refused callers.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AccessFile } from '../auth/access-file.ts';
import { Authenticator } from '../auth/authenticator.ts';
import type { ConfigOf } from '../config.ts';
import { cleanText } from '../config.ts';
import { codeOf, MeshError } from '../errors.ts';
import type { GateOptions, RefusedCaller } from './gate.ts';
import type { HTTP_VARIABLES } from './variables.ts';

/** Sessions that ended before their time, known from `mesh/sessions/revoked`. */
export class RevokedSessions {
  readonly #until = new Map<string, number>();
  readonly #watchers = new Set<(session: string) => void>();

  has(session: string): boolean {
    return this.#until.has(session);
  }

  add(session: string, untilMs: number): void {
    if (this.#until.has(session)) return;
    this.#until.set(session, untilMs);
    for (const watcher of this.#watchers) watcher(session);
  }

  /** What is still worth remembering: a session that is over anyway needs no revocation. */
  current(nowMs: number): readonly { readonly session: string; readonly until_ms: number }[] {
    for (const [session, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(session);
    return [...this.#until].map(([session, until_ms]) => ({ session, until_ms }));
  }

  /** Calls back with each session that is revoked from now on. */
  watch(watcher: (session: string) => void): void {
    this.#watchers.add(watcher);
  }
}

export interface RefusedEntry extends RefusedCaller {
  readonly count: number;
  readonly last_ms: number;
}

/** Callers of old addresses that were refused, so that the owner can let them in; the oldest leaves when it is full. */
export class RefusedCallers {
  readonly #entries = new Map<string, RefusedEntry>();
  static readonly MAX = 200;
  #changed: (() => void) | undefined;

  add(caller: RefusedCaller, nowMs: number): void {
    const key = `${caller.address} ${caller.app}`;
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    this.#entries.delete(key);
    this.#entries.set(key, { ...caller, count, last_ms: nowMs });
    if (this.#entries.size > RefusedCallers.MAX) this.#entries.delete(this.#entries.keys().next().value ?? '');
    if (count === 1) this.#changed?.();
  }

  list(apps: (app: string) => boolean): readonly RefusedEntry[] {
    return [...this.#entries.values()].filter(({ app }) => apps(app));
  }

  /** Calls back when a caller is refused for the first time. */
  onNew(changed: () => void): void {
    const before = this.#changed;
    this.#changed = () => {
      before?.();
      changed();
    };
  }
}

export interface Door {
  readonly authenticator: Authenticator;
  readonly session_key: Buffer;
  readonly revoked: RevokedSessions;
  readonly refused: RefusedCallers;
  readonly gate: GateOptions;
}

export const ACCESS_FILE = 'access.json';
const SESSION_KEY_FILE = 'session.key';
const KEY_BYTES = 32;

/** The key that signs browser sessions; made once, readable by its owner alone. */
export function readSessionKey(path: string): Buffer {
  const key = Buffer.from(cleanText(readFileSync(path, 'utf8')), 'base64url');
  if (key.length < KEY_BYTES)
    throw new MeshError('session_key_damaged', `expected ${KEY_BYTES} bytes in base64url in ${path}`);
  return key;
}

/** A new session key, as its file holds it: base64url. */
export const newSessionKey = (): string => randomBytes(KEY_BYTES).toString('base64url');

/** Makes the session key of a folder unless it is there. */
export function ensureSessionKey(folder: string): string {
  const path = join(folder, SESSION_KEY_FILE);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, `${newSessionKey()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return path;
}

/** The door of a process from its variables. */
export function createDoor(
  config: ConfigOf<typeof HTTP_VARIABLES>,
  accessPath: string,
  sessionKey: Buffer,
  now: () => number = Date.now,
): Door {
  const authenticator = new Authenticator(new AccessFile(accessPath, now), now);
  const revoked = new RevokedSessions();
  const refused = new RefusedCallers();
  return {
    authenticator,
    session_key: sessionKey,
    revoked,
    refused,
    gate: {
      authenticator,
      session_key: sessionKey,
      allowed_hosts: config.HTTP_ALLOWED_HOSTS,
      own_origins: config.ALLOWED_ORIGINS,
      open_networks: config.API_OPEN_NETWORKS,
      open_apps: config.API_OPEN_APPS,
      proxies: config.TRUSTED_PROXIES,
      isRevoked: (session) => revoked.has(session),
      onRefused: (caller) => refused.add(caller, now()),
      now,
    },
  };
}
