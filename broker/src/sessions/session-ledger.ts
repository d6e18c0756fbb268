// Owns whose a client id is: reserved names of services, connections in use, persistent sessions and their end.
import { type Identity, isService, type Verdict } from '@monitor-mesh/shared/access.ts';
import { durableClientId, type Party, SERVICES, type ServiceName } from '@monitor-mesh/shared/contract.ts';

export const SESSION_NEVER_EXPIRES = 0xffff_ffff;
const RESERVED = 'mesh-';

/** Whatever stands for one connection; only its identity matters. */
export type Holder = object;

export interface Session {
  readonly client_id: string;
  readonly user: string;
  readonly role: Party;
  /** One of the contract's: it exists before its first visit and never ends. */
  readonly durable: boolean;
  /** Life after its connection, in seconds; for ever when absent. */
  readonly expiry_s?: number;
  /** Epoch milliseconds; undefined when it never ends. While it is connected: when it would end if the connection did now. */
  readonly ends_at_ms?: number | undefined;
}

interface Entry {
  readonly user: string;
  role: Party;
  readonly durable: boolean;
  persistent: boolean;
  /** Life of the session after its connection, in seconds. */
  expiry_s: number;
  ends_at_ms: number | undefined;
  readonly holders: Set<Holder>;
}

const ALLOWED: Verdict = Object.freeze({ allowed: true });
const refuse = (reason: string): Verdict => ({ allowed: false, reason });

const endOf = (expiry_s: number, nowMs: number): number | undefined =>
  expiry_s >= SESSION_NEVER_EXPIRES ? undefined : nowMs + expiry_s * 1000;

/** The service that a reserved client id belongs to: `mesh-<service>` and `mesh-<service>-…`. */
function ownerOf(clientId: string): ServiceName | undefined {
  return SERVICES.find(
    (service) => clientId === durableClientId(service) || clientId.startsWith(`${durableClientId(service)}-`),
  );
}

export class SessionLedger {
  readonly #entries = new Map<string, Entry>();
  readonly #max: number;

  /** @param max client ids known at once, connected or with a session: a client that invents them must not fill the disk */
  constructor(max: number) {
    this.#max = max;
  }

  /** Enters a session that exists in the persistence. */
  enter({ client_id, user, role, durable, expiry_s, ends_at_ms }: Session): void {
    this.#entries.set(client_id, {
      user,
      role,
      durable,
      persistent: true,
      expiry_s: expiry_s ?? SESSION_NEVER_EXPIRES,
      ends_at_ms,
      holders: new Set(),
    });
  }

  /** Asks for a client id in the name of a connection; when allowed, it is held until `release`. */
  claim(clientId: string, who: Identity, holder: Holder, cleanStart: boolean): Verdict {
    const verdict = this.#judge(clientId, who, cleanStart);
    if (!verdict.allowed) return verdict;
    const entry = this.#entries.get(clientId) ?? {
      user: who.user,
      role: who.role,
      durable: false,
      persistent: false,
      expiry_s: 0,
      ends_at_ms: undefined,
      holders: new Set(),
    };
    entry.role = who.role;
    entry.holders.add(holder);
    this.#entries.set(clientId, entry);
    return ALLOWED;
  }

  #judge(clientId: string, who: Identity, cleanStart: boolean): Verdict {
    if (clientId.startsWith(RESERVED) && (!isService(who.role) || ownerOf(clientId) !== who.role))
      return refuse(`client ids that begin with '${RESERVED}' belong to the mesh's services`);
    const entry = this.#entries.get(clientId);
    if (entry?.durable)
      return cleanStart ? refuse('a clean start would erase messages that are promised to this service') : ALLOWED;
    if (entry && entry.user !== who.user) return refuse('the client id belongs to another user');
    if (!entry && this.#entries.size >= this.#max) return refuse(`expected at most ${this.#max} sessions`);
    return ALLOWED;
  }

  /** The connection is up: from now on the session is what it asked for. */
  confirm(clientId: string, persistent: boolean, expiry_s: number): void {
    const entry = this.#entries.get(clientId);
    if (!entry || entry.durable) return;
    entry.persistent = persistent;
    entry.expiry_s = expiry_s;
    entry.ends_at_ms = undefined;
  }

  /** The connection is gone; its session lives `expiry_s` longer. */
  release(clientId: string, holder: Holder, expiry_s: number, nowMs: number): void {
    const entry = this.#entries.get(clientId);
    if (!entry?.holders.delete(holder) || entry.holders.size > 0 || entry.durable) return;
    if (!entry.persistent || expiry_s === 0) this.#entries.delete(clientId);
    else entry.ends_at_ms = endOf(expiry_s, nowMs);
  }

  /** The session ended while nobody was connected. */
  forget(clientId: string): void {
    const entry = this.#entries.get(clientId);
    if (entry && !entry.durable && entry.holders.size === 0) this.#entries.delete(clientId);
  }

  /** What is known of a client id. */
  find(clientId: string): Readonly<Pick<Entry, 'user' | 'role' | 'durable' | 'expiry_s' | 'ends_at_ms'>> | undefined {
    return this.#entries.get(clientId);
  }

  /** Who reads what waits for a client id. */
  roleOf(clientId: string): Party | undefined {
    return this.#entries.get(clientId)?.role;
  }

  isDurable(clientId: string): boolean {
    return this.#entries.get(clientId)?.durable ?? false;
  }

  isPersistent(clientId: string): boolean {
    return this.#entries.get(clientId)?.persistent ?? false;
  }

  isHeld(clientId: string): boolean {
    return (this.#entries.get(clientId)?.holders.size ?? 0) > 0;
  }

  /** Sessions that outlive their connections. */
  sessions(nowMs: number): readonly Session[] {
    return [...this.#entries]
      .filter(([, { persistent }]) => persistent)
      .map(([client_id, { user, role, durable, holders, expiry_s, ends_at_ms }]) => ({
        client_id,
        user,
        role,
        durable,
        ends_at_ms: holders.size > 0 ? endOf(expiry_s, nowMs) : ends_at_ms,
      }));
  }
}
