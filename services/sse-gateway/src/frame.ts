// Owns the bytes of server-sent events (WHATWG HTML, section 9.2) and of the old server's frame.

/** What ends or splits a field: an id or event name must not hold them. Data is JSON, which escapes them. */
const FIELD_BREAK = /[\r\n\0]/u;

/** One event. `data` must be one line, as JSON is. */
export function frameOf(fields: { readonly id?: string; readonly event?: string; readonly data: string }): Buffer {
  const { id, event, data } = fields;
  if (FIELD_BREAK.test(`${id ?? ''}${event ?? ''}${data}`))
    throw new Error(`expected one-line SSE fields, got ${JSON.stringify(fields)}`);
  return Buffer.from(
    `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`,
  );
}

/** JSON on one line: U+2028 and U+2029 are legal in it and in SSE, CR and LF are escaped by JSON itself. */
export const oneLine = (value: unknown): string => JSON.stringify(value);

/** Moves the browser's Last-Event-ID without an event: a block without data dispatches nothing. */
export const bookmark = (id: string): Buffer => Buffer.from(`id: ${id}\n\n`);

const DATA = 'data: ';

export const HEARTBEAT = Buffer.from(':\n\n');

/** The old server's frame, to the byte: the blank before the line's end is its own. */
export const legacyFrameOf = (heure: string, id: string, state: string): Buffer =>
  Buffer.from(`event: message\ndata: ${JSON.stringify({ heure, id, state })} \n\n`);

/** A change as the old Node server wrote it: no event name. */
export const factFrameOf = (id: string, state: string): Buffer => Buffer.from(`${DATA}${oneLine({ id, state })}\n\n`);

/** The old Node server's first frame: the facts of `factFrameOf`, whatever follows them, as one array. */
export function backlogOf(factFrames: readonly Buffer[]): Buffer {
  const facts = factFrames.map((frame) => frame.toString('utf8', DATA.length, frame.indexOf('\n')));
  return Buffer.from(`${DATA}[${facts.join(',')}]\n\n`);
}

/** The last words of a server that stops: when to come back, in ms. */
export const farewellOf = (retryMs: number): Buffer => Buffer.from(`: restarting\nretry: ${retryMs}\n\n`);

export const EVENT_STREAM = 'text/event-stream';
