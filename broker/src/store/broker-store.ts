// Owns what the broker remembers, as an interface: sessions, what waits for them, retained messages, last wills.
import type { Party } from '@monitor-mesh/shared/contract.ts';
import type { EngineSubscription } from '../engine/engine.ts';
import type { Message } from '../messages/message.ts';

/** A session that outlives its connections. */
export interface StoredSession {
  /** Its number in the store, never given twice. */
  readonly number: number;
  readonly client_id: string;
  readonly user: string;
  readonly role: Party;
  /** One of the contract's: it exists before its first visit and never ends. */
  readonly durable: boolean;
  /** Life of the session after its connection, in seconds; 0xFFFFFFFF is for ever. */
  readonly expiry_s: number;
  /** Epoch ms of its end while nobody is connected; `undefined` is never. */
  readonly ends_at_ms?: number | undefined;
  readonly subscriptions: readonly EngineSubscription[];
}

/** One message in one session's queue. */
export interface QueueEntry {
  /** Place in the queue: 1, 2, 3… in the order of arrival. */
  readonly seq: number;
  readonly message: Message;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly subscription_ids: readonly number[];
  /** QoS 2: the client has the message, only its PUBCOMP is awaited. */
  released: boolean;
  /** It was sent before: sent again, it is marked as a duplicate. Known to this life only. */
  sent: boolean;
}

export interface StoredWill {
  readonly client_id: string;
  readonly message: Message;
  /** Seconds between the end of the connection and the will. */
  readonly delay_s: number;
  /** Life of the message from its publication, in seconds. */
  readonly expiry_s?: number;
}

/** What a session's queue looked like when the store was opened. */
export interface QueueExtent {
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly bytes: number;
}

export interface StoreImage {
  readonly sessions: readonly StoredSession[];
  /** By number; a session without an entry has an empty queue. */
  readonly queues: ReadonlyMap<number, QueueExtent>;
  /** Packet identifiers of QoS 2 messages that were taken but not released, by number. */
  readonly incoming: ReadonlyMap<number, readonly number[]>;
  /** Those of them whose message was kept with the identifier, by number and identifier. */
  readonly incoming_messages: ReadonlyMap<number, ReadonlyMap<number, Message>>;
  readonly retained: readonly Message[];
  readonly wills: readonly StoredWill[];
}

/**
 * Changes take effect at once for every reader of this object; `commit` says when they are safe. What is changed
 * together before one `commit` becomes safe together.
 */
export interface BrokerStore extends AsyncDisposable {
  /** Whether what it keeps outlives the process: then an acknowledgement waits for `commit`. */
  readonly durable: boolean;
  /** Why nothing can be made safe now; `undefined` in health. */
  readonly fault: string | undefined;
  /** Counts the lives of the store: 1, 2, 3… */
  readonly boot: number;
  /** Everything as the last life left it; read once. */
  load(): StoreImage;
  /** A number for a new session. */
  newNumber(): number;
  putSession(session: StoredSession): void;
  /** With its queue and its packet identifiers. */
  deleteSession(number: number): void;
  /** Behind everything that its queue ever held. */
  append(number: number, entry: QueueEntry): void;
  /** Keeps an entry that has changed: the client has a QoS 2 message. */
  release(number: number, entry: QueueEntry): void;
  remove(number: number, seq: number): void;
  /** Up to `count` entries from `seq` on, in order. */
  read(number: number, seq: number, count: number): readonly QueueEntry[];
  /** Up to which place a session was sent its queue: what is sent again after a kill is marked as a duplicate. */
  noteSent(number: number, seq: number): void;
  sentUpTo(number: number): number;
  /** Notes a QoS 2 message as taken; `message` is for who delivers it only when it is released. */
  putIncoming(number: number, packetId: number, message?: Message): void;
  deleteIncoming(number: number, packetId: number): void;
  /** Keeps the message, or forgets what is kept of its topic when the payload is empty. */
  putRetained(message: Message): void;
  putWill(will: StoredWill): void;
  deleteWill(clientId: string): void;
  /** Bytes that are free where it writes; `undefined` where it writes nothing. */
  freeBytes(): Promise<number | undefined>;
  /** Resolves when everything changed so far is on the disk; while the disk refuses, it waits. Rejects at a stop. */
  commit(): Promise<void>;
}
