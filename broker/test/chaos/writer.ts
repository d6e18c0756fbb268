// Owns the real db-writer beside the chaos: started as in a container, its database read when all is done.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { ensureSessionKey } from '@monitor-mesh/shared/http/door.ts';
import { Child } from './child.ts';
import type { EventRow } from './story.ts';

const MAIN = fileURLToPath(new URL('../../../services/db-writer/src/main.ts', import.meta.url));
/** It may be killed as soon as it lives, also before it takes messages. */
const GREETING = /db-writer configuration/u;

export class Writer implements AsyncDisposable {
  readonly child: Child;
  readonly #path: string;
  #db: DatabaseSync | undefined;

  constructor(folder: string, mqttPort: number) {
    this.#path = join(folder, 'monitor.sqlite');
    this.child = new Child('db-writer', () => ({
      arguments: ['--disable-warning=ExperimentalWarning', MAIN],
      greeting: GREETING,
      environment: {
        MQTT_URL: `mqtt://127.0.0.1:${mqttPort}`,
        MQTT_PASSWORD: 'x',
        DATABASE_URL: `sqlite:${this.#path}`,
        ACCESS_FILE: join(folder, 'access.json'),
        SESSION_KEY_FILE: ensureSessionKey(folder),
        HTTP_PORT: '0',
        LOG_LEVEL: 'info',
      },
    }));
  }

  /** Rows that are there now. */
  rowCount(): number {
    const counted = this.#open()?.prepare('SELECT count(*) AS rows FROM device_event').get();
    return Number(counted?.rows ?? 0);
  }

  *rows(): Iterable<EventRow> {
    const rows = this.#open()?.prepare('SELECT mid, device_id, state FROM device_event ORDER BY seq').iterate() ?? [];
    for (const { mid, device_id, state } of rows)
      yield { mid: String(mid), device_id: String(device_id), state: String(state) };
  }

  #open(): DatabaseSync | undefined {
    if (!this.#db && existsSync(this.#path)) this.#db = new DatabaseSync(this.#path, { readOnly: true });
    return this.#db;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db?.close();
    await this.child[Symbol.asyncDispose]();
  }
}
