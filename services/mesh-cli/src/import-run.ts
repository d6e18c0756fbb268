// Owns an import: from the rows of a source to a database, some hundred at a time, and the account of what became of each.
import { codeOf, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { derivedMid } from '@monitor-mesh/shared/mid.ts';
import type { Delivery, Row, Store } from '@monitor-mesh/shared/store/store.ts';
import { decideRow, type Fault, isWanted, measurementOf, type Setting } from './import-plan.ts';
import type { Listener, Source, SourceTable } from './import-source.ts';

const BATCH_ROWS = 500;

export interface Refusal {
  count: number;
  readonly example: string | undefined;
}

/** What became of the rows of one table. */
export interface TableAccount {
  read: number;
  fresh: number;
  known: number;
  /** By reason. */
  readonly refusals: Map<string, Refusal>;
}

export interface ImportAccount {
  readonly taken: ReadonlyMap<string, TableAccount>;
  /** Tables that the mesh has no use for, and how many rows they have. */
  readonly left: ReadonlyMap<string, number>;
}

export interface ImportOptions {
  readonly source: Source;
  readonly store: Store;
  readonly zone: string;
  readonly dispositifs: string;
  /** Whether source and store are one database: then its tables stay as they are and only the curves are added. */
  readonly in_place: boolean;
  readonly now: () => number;
}

/** What is written although source and store are one database. */
const CURVES: ReadonlySet<Row['kind']> = new Set(['reading', 'message']);

export async function importAll(options: ImportOptions): Promise<ImportAccount> {
  const messages = await options.store.messages();
  const newest = new Map(messages.map(({ name, at_ms }) => [name, at_ms]));
  const run = new Run(options, { zone: options.zone, dispositifs: options.dispositifs, newest });
  for await (const rows of options.source.rows(run))
    for (const row of rows) {
      const { rows: taken, faults } = decideRow(row, run.setting);
      await run.take(row.table, taken, faults);
    }
  await run.flush();
  return run;
}

class Run implements ImportAccount, Listener {
  readonly taken = new Map<string, TableAccount>();
  readonly left = new Map<string, number>();
  readonly setting: Setting;
  readonly #options: ImportOptions;
  readonly #prepared = new Set<string>();
  #batch: Delivery[] = [];
  #table = '';

  constructor(options: ImportOptions, setting: Setting) {
    this.#options = options;
    this.setting = setting;
  }

  isWanted(table: SourceTable): boolean {
    return isWanted(table, this.setting);
  }

  onLeft(table: string, rows: number): void {
    this.left.set(table, (this.left.get(table) ?? 0) + rows);
  }

  onUnreadable(table: string, reason: string): void {
    this.refuse(table, { reason });
  }

  refuse(table: string, { reason, example }: Fault): void {
    const { refusals } = this.#account(table);
    const before = refusals.get(reason);
    if (before) before.count += 1;
    else refusals.set(reason, { count: 1, example });
  }

  async take(table: SourceTable, rows: readonly Row[], faults: readonly Fault[]): Promise<void> {
    this.#account(table.name).read += 1;
    for (const fault of faults) this.refuse(table.name, fault);
    const written = this.#options.in_place ? rows.filter(({ kind }) => CURVES.has(kind)) : rows;
    if (written.length === 0) return;
    if (this.#table !== table.name || this.#batch.length >= BATCH_ROWS) await this.flush();
    if (!this.#options.in_place) await this.#prepare(table);
    this.#table = table.name;
    // The same row, read again from whatever source, is the same delivery.
    const mid = derivedMid('import-legacy', JSON.stringify(written));
    this.#batch.push({ mid, received_ms: this.#options.now(), rows: written });
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length > 0) await this.#apply(batch, this.#account(this.#table));
  }

  async #prepare(table: SourceTable): Promise<void> {
    const measurement = measurementOf(table);
    if (measurement === undefined || this.#prepared.has(table.name)) return;
    await this.#options.store.ensureTables([measurement]);
    this.#prepared.add(table.name);
  }

  /** Rows that the database itself refuses are found by halves, so that they take no others with them. */
  async #apply(deliveries: readonly Delivery[], account: TableAccount): Promise<void> {
    try {
      const { applied, duplicates } = await this.#options.store.apply(deliveries);
      account.fresh += applied;
      account.known += duplicates;
    } catch (error) {
      if (codeOf(error) !== 'store_refused') throw error;
      if (deliveries.length === 1)
        return this.refuse(this.#table, { reason: `the database refused it: ${reasonOf(error)}` });
      const half = Math.ceil(deliveries.length / 2);
      await this.#apply(deliveries.slice(0, half), account);
      await this.#apply(deliveries.slice(half), account);
    }
  }

  #account(table: string): TableAccount {
    let account = this.taken.get(table);
    if (!account) {
      account = { read: 0, fresh: 0, known: 0, refusals: new Map() };
      this.taken.set(table, account);
    }
    return account;
  }
}
