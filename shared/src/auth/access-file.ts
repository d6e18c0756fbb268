// Owns the one file that says who may come in: users, services, and networks that `mesh allow` opened.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { cleanText } from '../config.ts';
import { ROLES } from '../contract.ts';
import { codeOf, MeshError, reasonOf } from '../errors.ts';
import { parseNetwork } from './networks.ts';

const isNetwork = (text: string): boolean => {
  try {
    parseNetwork(text);
    return true;
  } catch {
    return false; // the file says what it should hold
  }
};

const user = z.strictObject({
  role: z.enum(ROLES).exclude(['local']),
  password: z.string(),
  tokens: z.array(z.strictObject({ digest: z.string(), created_at: z.string() })).default([]),
  created_at: z.string(),
});
const content = z.strictObject({
  version: z.literal(1),
  users: z.record(z.string(), user).default({}),
  /** Digest of each service's secret, where services come over the network. */
  services: z.record(z.string(), z.string()).default({}),
  networks: z
    .array(z.strictObject({ network: z.string().refine(isNetwork, 'expected a network'), apps: z.array(z.string()) }))
    .default([]),
});

export type AccessContent = z.output<typeof content>;
export type UserEntry = z.output<typeof user>;

export const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$/u;
/** How long a reader may go on with what it knows before it looks at the file again, in ms. */
const FRESH_MS = 500;
const EMPTY: AccessContent = { version: 1, users: {}, services: {}, networks: [] };

/** Reads the file when it has changed, writes it whole (0640: the owner and the services' group). */
export class AccessFile {
  readonly path: string;
  readonly #now: () => number;
  #known: AccessContent = EMPTY;
  #stamp = '';
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, now: () => number = Date.now) {
    this.path = path;
    this.#now = now;
  }

  /**
   * The file's content, at most half a second old. A missing file lets nobody in. A file that breaks while we run
   * changes nothing: the last good content stays in force.
   *
   * @throws MeshError `access_file_damaged` or `access_file_unreadable` when there never was a good content
   */
  read(): AccessContent {
    const now = this.#now();
    if (now - this.#lookedAt < FRESH_MS && now >= this.#lookedAt) return this.#known;
    try {
      this.#look();
    } catch (error) {
      if (this.#stamp === '' || this.#stamp === 'none') throw error;
    }
    this.#lookedAt = now;
    return this.#known;
  }

  /**
   * Changes the content and replaces the file in one step.
   *
   * @throws MeshError as `read`, also when there was a good content: what is damaged is not written over
   */
  update(change: (before: AccessContent) => AccessContent): AccessContent {
    const after = content.parse(change(this.#look()));
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${randomBytes(4).toString('hex')}`;
    writeFileSync(temporary, `${JSON.stringify(after, null, 2)}\n`, { mode: 0o640, flush: true });
    renameSync(temporary, this.path);
    return this.#look();
  }

  #look(): AccessContent {
    const stamp = this.#stampOf();
    if (stamp !== this.#stamp) {
      this.#known = stamp === 'none' ? EMPTY : this.#parse();
      this.#stamp = stamp;
    }
    return this.#known;
  }

  #stampOf(): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'none';
      throw new MeshError('access_file_unreadable', `cannot read ${this.path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  #parse(): AccessContent {
    try {
      return content.parse(JSON.parse(cleanText(readFileSync(this.path, 'utf8'))));
    } catch (error) {
      throw new MeshError('access_file_damaged', `expected users as the mesh command writes them in ${this.path}`, {
        cause: error,
      });
    }
  }
}
