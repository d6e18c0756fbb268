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

/**
 * One row of a measurement table; a row of the same instant is completed or replaced. Table and columns come from a
 * white list and are names of letters, digits and `_`.
 */
export interface RecordRow {
  readonly kind: 'record';
  readonly table: string;
  /** Wall clock of the house, `YYYY-MM-DD HH:MM:SS`. */
  readonly date: string;
  /** Decimal numbers as they were written: a column of text keeps the `.0` that the PHP site prints. */
  readonly values: Readonly<Record<string, string>>;
}

/** One point of a curve; a point of the same instant is replaced. A series begins with its first point. */
export interface ReadingRow {
  readonly kind: 'reading';
  /** 1 to 191 characters. */
  readonly series: string;
  readonly ts_ms: number;
  readonly value: number;
}

/** One row of the PHP site's description of the house, by its `num`. */
export type HouseRow = ({ readonly kind: 'dispositif' } & Dispositif) | ({ readonly kind: 'text_image' } & TextImage);

export type Row = ChangeRow | MessageRow | RawRow | RecordRow | ReadingRow | HouseRow;

/** One row of the table `dispositifs`: which device of which server is which element of the plan. Names are the table's. */
export interface Dispositif {
  readonly num: number;
  readonly nom_appareil: string;
  readonly nom_objet: string;
  /** Domoticz' number. */
  readonly idx: string | null;
  /** Home Assistant's entity, ioBroker's object or a Zigbee IEEE address. */
  readonly ID: string;
  /** The site's own number. */
  readonly idm: string | null;
  /** 0 off, 1 and 2 Domoticz, 3 Home Assistant, 4 ioBroker, 5 a value kept in `param`, 6 zigbee2mqtt. */
  readonly Actif: string;
  /** `hardware:key:colour mode`, or the value itself. */
  readonly param: string;
  readonly ls: string;
  readonly maj_js: string;
  readonly id1_html: string;
  readonly car_max_id1: string;
  readonly F: string | null;
  readonly id2_html: string;
  readonly coul_id1_id2_ON: string;
  readonly coul_id1_id2_OFF: string;
  readonly class_lamp: string;
  readonly coul_lamp_ON: string;
  readonly coul_lamp_OFF: string;
  readonly pass: string | null;
  readonly observations: string;
}

/** One row of the table `text_image`: the picture that stands for a text. */
export interface TextImage {
  readonly num: number;
  readonly texte: string;
  readonly image: string;
  readonly icone: string;
}

/** Everything one MQTT message asks of the database: applied whole or not at all, once per `mid`. */
export interface Delivery {
  readonly mid: string;
  readonly received_ms: number;
  readonly rows: readonly Row[];
}

/** Names of letters, digits and `_`. */
export interface MeasurementTable {
  readonly table: string;
  readonly columns: readonly string[];
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
  /** The device table of the PHP site, by `num`; empty where none was imported. */
  dispositifs(): Promise<readonly Dispositif[]>;
  textImages(): Promise<readonly TextImage[]>;
  /** Resolves when the database answers; else a MeshError. */
  ping(): Promise<void>;
}

/** What may write: db-writer alone holds it. */
export interface Store extends StoreReader {
  /** Applies deliveries in order in one transaction. When it rejects nothing was written. */
  apply(deliveries: readonly Delivery[]): Promise<ApplyResult>;
  /** Makes the measurement tables that are missing: a wall clock `date`, unique, and a floating point value per column. */
  ensureTables(tables: readonly MeasurementTable[]): Promise<void>;
  /**
   * Forgets inbox entries received before an instant; answers how many. An inbox whose newest entry is older is left
   * alone: then a clock is wrong, and what waits in the broker may come again.
   */
  pruneInbox(before_ms: number): Promise<number>;
}
