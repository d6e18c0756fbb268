// Owns what an import reads, wherever it comes from: rows of named columns, and which of them are instants.

/** A value as its source has it; `undefined` is an expression that is no literal. */
export type Cell = string | null | undefined;

export interface SourceTable {
  readonly name: string;
  readonly columns: readonly string[];
  /**
   * Columns of type TIMESTAMP, whose text is in the zone of the source's session and not on the house's own clock;
   * `undefined` when the source does not say which are.
   */
  readonly timestamps: ReadonlySet<string> | undefined;
}

export interface SourceRow {
  readonly table: SourceTable;
  readonly cells: ReadonlyMap<string, Cell>;
  /** Zone of the timestamps in this row; `undefined` is the house's. */
  readonly zone: string | undefined;
}

/** Who hears of what does not become a row. */
export interface Listener {
  /** Rows of other tables are only counted. */
  isWanted(table: SourceTable): boolean;
  onLeft(table: string, rows: number): void;
  onUnreadable(table: string, reason: string): void;
}

/** Rows in the order of the source, some at a time. */
export interface Source {
  rows(listener: Listener): AsyncIterable<readonly SourceRow[]>;
}
