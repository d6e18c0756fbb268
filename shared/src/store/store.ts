// Owns what a database must do for the mesh. Adapters implement it; one test suite holds them all to it.

/** A device changed. Instants are epoch milliseconds; `at_ms` is the sender's, already clamped to the clock here. */
export interface ChangeRow {
  readonly kind: 'change';
  readonly id: string;
  readonly state: string;
  readonly at_ms: number;
  readonly source: string;
  /** The sender's own instant was in the future and was replaced. */
  readonly clock_wrong: boolean;
  /** Wall clock of the house, `HH:MM:SS`, for the mirrored legacy table `sse`. */
  readonly heure: string;
}

/** A household message was set or marked as read. */
export interface MessageRow {
  readonly kind: 'message';
  readonly name: string;
  readonly text: string;
  readonly unread: boolean;
  readonly at_ms: number;
}

/** A durable message whose own tables belong to a service that is not part of this release: kept whole. */
export interface RawRow {
  readonly kind: 'raw';
  readonly topic: string;
  readonly payload: Uint8Array;
}

export type Row = ChangeRow | MessageRow | RawRow;

/** Everything one MQTT message asks of the database: applied whole or not at all, once per `mid`. */
export interface Delivery {
  readonly mid: string;
  readonly received_ms: number;
  readonly rows: readonly Row[];
}

export interface ApplyResult {
  /** Deliveries whose rows were written by this call. */
  readonly applied: number;
  /** Deliveries whose `mid` was known already: nothing was written for them. */
  readonly duplicates: number;
}

export interface DeviceEvent {
  readonly seq: number;
  readonly mid: string;
  readonly id: string;
  readonly state: string;
  readonly at_ms: number;
  readonly received_ms: number;
  readonly source: string;
  readonly clock_wrong: boolean;
}

export interface EventQuery {
  readonly id?: string;
  /** Inclusive, epoch milliseconds of `received_ms`. */
  readonly from_ms?: number;
  /** Exclusive. */
  readonly to_ms?: number;
  /** Only events with a smaller `seq`: the page before. */
  readonly before_seq?: number;
  /** 1 to 1,000. Newest first. */
  readonly limit: number;
}

export interface StoredMessage {
  readonly name: string;
  readonly text: string;
  readonly unread: boolean;
  readonly at_ms: number;
}

/** What may read: monitor-api holds only this. */
export interface StoreReader extends AsyncDisposable {
  events(query: EventQuery): Promise<readonly DeviceEvent[]>;
  messages(): Promise<readonly StoredMessage[]>;
  /** Resolves when the database answers; else a MeshError. */
  ping(): Promise<void>;
}

/** What may write: db-writer alone holds it. */
export interface Store extends StoreReader {
  /** Applies deliveries in order in one transaction. When it rejects nothing was written. */
  apply(deliveries: readonly Delivery[]): Promise<ApplyResult>;
  /** Forgets inbox entries received before an instant; answers how many. */
  pruneInbox(before_ms: number): Promise<number>;
}
