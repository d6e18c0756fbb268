// Owns who may connect under which client id, and what becomes of the session of a connection.
import type { Identity } from '@monitor-mesh/shared/access.ts';
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Counter } from '@monitor-mesh/shared/metrics.ts';
import type { Engine, EngineClient, Refusal } from '../engine/engine.ts';
import { hasForbiddenText } from '../internal-topics.ts';
import { SESSION_NEVER_EXPIRES, type SessionLedger } from '../sessions/session-ledger.ts';

/** Where a connection comes from. */
export interface Caller {
  readonly address: string;
  readonly transport: 'tcp' | 'ws';
}

/** Decides who a connection is. `username` is undefined for an anonymous one. */
export type Authenticate = (
  username: string | undefined,
  password: string | undefined,
  caller: Caller,
) => Promise<Identity | { readonly refused: string }>;

/** A connection's origin: a network, or the process itself, whose word is enough. */
export type Origin = { readonly caller: Caller } | { readonly identity: Identity };

export interface ConnectGateOptions {
  readonly log: Log;
  readonly authenticate: Authenticate;
  readonly ledger: SessionLedger;
  readonly refused: Counter;
  readonly connections_max: number;
  readonly now: () => number;
}

// CONNACK return codes of MQTT 3.1.1 §3.2.2.3; the engine answers 5.0 with 0x85, 0x88, 0x87
const IDENTIFIER_REJECTED = 2;
const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;

interface Refused {
  readonly code: Refusal['returnCode'];
  readonly reason: string;
}

const refuse = (code: Refusal['returnCode'], reason: string): Refused => ({ code, reason });

export class ConnectGate {
  readonly #options: ConnectGateOptions;
  readonly #origins = new WeakMap<object, Origin>();
  readonly #identities = new WeakMap<EngineClient, Identity>();
  /** The connection that is up under a client id. */
  readonly #up = new Map<string, EngineClient>();

  constructor(options: ConnectGateOptions) {
    this.#options = options;
  }

  /** Notes where a connection comes from, before the engine reads its first byte. */
  admit(connection: object, origin: Origin): void {
    this.#origins.set(connection, origin);
  }

  /** Whether it comes from outside the process. */
  isCaller({ conn }: EngineClient): boolean {
    const origin = this.#origins.get(conn);
    return origin !== undefined && 'caller' in origin;
  }

  identityOf(client: EngineClient): Identity | undefined {
    return this.#identities.get(client);
  }

  /** The engine's `authenticate`: identity first, then the client id. Resolves to a refusal or to nothing. */
  async onConnect(
    client: EngineClient,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<Refusal | null> {
    const refused = await this.#judge(client, username, password);
    if (!refused) return null;
    this.#options.refused.inc();
    this.#options.log.info({ client: client.id, username, reason: refused.reason }, 'connection refused');
    return Object.assign(new Error(refused.reason), { returnCode: refused.code });
  }

  async #judge(
    client: EngineClient,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<Refused | undefined> {
    const { id, conn } = client;
    const origin = this.#origins.get(conn);
    if (id === null || origin === undefined)
      throw new TypeError('expected a client id and an origin at authentication');
    if (hasForbiddenText(id))
      return refuse(IDENTIFIER_REJECTED, 'expected a client id of well-formed text without U+0000');
    if ('caller' in origin && this.#up.size >= this.#options.connections_max)
      return refuse(SERVER_UNAVAILABLE, `expected at most ${this.#options.connections_max} connections`);
    const who = 'identity' in origin ? origin.identity : await this.#identify(username, password, origin.caller);
    if ('refused' in who) return refuse(NOT_AUTHORIZED, who.refused);
    if ('code' in who) return who;
    if (conn.destroyed) return refuse(SERVER_UNAVAILABLE, 'the connection was closed');
    return this.#claim(client, id, who);
  }

  async #identify(
    username: string | undefined,
    password: Buffer | undefined,
    caller: Caller,
  ): Promise<Identity | Refused | { readonly refused: string }> {
    if (caller.transport === 'ws' && !username)
      return { refused: 'a WebSocket connection needs a user and a password' };
    try {
      return await this.#options.authenticate(username, password?.toString(), caller);
    } catch (error) {
      this.#options.log.error({ reason: reasonOf(error) }, 'authentication failed to answer');
      return refuse(SERVER_UNAVAILABLE, 'authentication is not available');
    }
  }

  #claim(client: EngineClient, id: string, who: Identity): Refused | undefined {
    const { ledger } = this.#options;
    const verdict = ledger.claim(id, who, client, client._cleanStart);
    if (!verdict.allowed) return refuse(IDENTIFIER_REJECTED, verdict.reason);
    this.#identities.set(client, who);
    // a connection that dies before it is up never reaches onDown
    client.conn.once('close', () => {
      if (this.#up.get(id) !== client) this.#release(client, id);
    });
    if (ledger.isDurable(id)) keepForEver(client);
    // a session that is resumed and ends with this connection [MQTT-3.1.2-23] still gets its queue, which Aedes clears
    else if (client.version === 5 && !client._cleanStart && ledger.isPersistent(id)) client.clean = false;
    return undefined;
  }

  /** The engine knows the client from now on. */
  onUp(engine: Engine, client: EngineClient): void {
    const { id } = client;
    if (id === null) return;
    if (client.closed) {
      // it died while its session was looked up: Aedes would count it for ever (moscajs/aedes#985)
      delete engine.clients[id];
      engine.connectedClients--;
      return;
    }
    this.#up.set(id, client);
    this.#options.ledger.confirm(id, !client.clean, expiryOf(client));
  }

  /**
   * The engine has let the client go. When its connection closed while the next one under its id came up, Aedes has
   * deleted that one from its list: it is put back (moscajs/aedes#985), and the old one's end ends no session.
   */
  onDown(engine: Engine, client: EngineClient): void {
    const { id } = client;
    if (id === null) return;
    const current = this.#up.get(id);
    if (current !== undefined && current !== client) {
      engine.clients[id] = current;
      engine.connectedClients++;
      client.sessionExpiryInterval = SESSION_NEVER_EXPIRES;
    } else this.#up.delete(id);
    this.#release(client, id);
  }

  #release(client: EngineClient, id: string): void {
    this.#options.ledger.release(id, client, expiryOf(client), this.#options.now());
  }
}

/** Before MQTT 5 a session that outlives its connection never ends. */
const expiryOf = ({ version, sessionExpiryInterval }: EngineClient): number =>
  version === 5 ? sessionExpiryInterval : SESSION_NEVER_EXPIRES;

const ignore = (): void => undefined;

/** A session of the contract outlives whatever its client says of it, in CONNECT or DISCONNECT. */
function keepForEver(client: EngineClient): void {
  client._sessionExpiryClamped = client.sessionExpiryInterval !== SESSION_NEVER_EXPIRES;
  Object.defineProperties(client, {
    clean: { get: () => false, set: ignore },
    sessionExpiryInterval: { get: () => SESSION_NEVER_EXPIRES, set: ignore },
  });
}
