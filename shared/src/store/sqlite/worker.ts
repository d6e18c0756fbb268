// Owns the inside of a database thread: one connection, one request at a time. Entry point of a Worker.

import type { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import { readMigrations } from '../migration.ts';
import { openReadOnly, openWriter } from './connection.ts';
import { faultOf } from './fault.ts';
import { assertMigrated, migrate } from './migration.ts';
import { type Answer, type CommandName, faultData, type OpenRequest, type Reply, type Request } from './protocol.ts';
import { prepareReading, type Reading } from './reading.ts';
import { prepareWriting, type Writing } from './writing.ts';

interface Connection {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly reading: Reading;
  /** Absent on a connection that only reads. */
  readonly writing: Writing | undefined;
}

function connect({ role, path, busy_timeout_ms, migrations }: OpenRequest): Connection {
  const files = readMigrations(migrations);
  const db = role === 'writer' ? openWriter({ path, busy_timeout_ms }) : openReadOnly({ path, busy_timeout_ms });
  try {
    if (role === 'writer') migrate(db, files, Date.now());
    else assertMigrated(db, files);
    return { path, db, reading: prepareReading(db), writing: role === 'writer' ? prepareWriting(db) : undefined };
  } catch (error) {
    db.close();
    throw error;
  }
}

const port = parentPort;
if (port === null) throw new Error('expected to run as a worker thread');

let connection: Connection | undefined;

function connected(): Connection {
  if (connection === undefined) throw new Error('expected an open database');
  return connection;
}

function writing(): Writing {
  const found = connected().writing;
  if (found === undefined) throw new Error('expected a connection that may write');
  return found;
}

function perform(request: Request): Answer<CommandName> {
  switch (request.command) {
    case 'open':
      connection = connect(request.ask);
      return null;
    case 'apply':
      return writing().apply(request.ask);
    case 'prune_inbox':
      return writing().pruneInbox(request.ask);
    case 'events':
      return connected().reading.events(request.ask);
    case 'messages':
      return connected().reading.messages();
    case 'ensure_tables':
      writing().ensureTables(request.ask);
      return null;
    case 'dispositifs':
      return connected().reading.dispositifs();
    case 'text_images':
      return connected().reading.textImages();
    case 'ping':
      connected().reading.ping();
      return null;
    case 'close':
      connection?.db.close();
      return null;
    default:
      return request satisfies never;
  }
}

function replyTo(request: Request): Reply {
  try {
    return { id: request.id, answer: perform(request) };
  } catch (error) {
    const path = request.command === 'open' ? request.ask.path : (connection?.path ?? 'not open');
    return { id: request.id, fault: faultData(faultOf(error, path)) };
  }
}

port.on('message', (request: Request) => {
  port.postMessage(replyTo(request));
  if (request.command === 'close') port.close();
});
