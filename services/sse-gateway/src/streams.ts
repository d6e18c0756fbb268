// Owns the HTTP side of event streams: headers, limits per user, and the end of a stream.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EVENT_STREAM } from './frame.ts';
import type { Sink, Viewer } from './viewer.ts';

export interface StreamLimits {
  readonly viewers_max: number;
  readonly viewers_per_user_max: number;
}

interface Open {
  readonly user: string;
  readonly session: string | undefined;
  readonly viewer: Viewer;
}

const sinkOf = (reply: FastifyReply): Sink => {
  const { raw } = reply;
  return {
    get pending() {
      return raw.writableLength;
    },
    write: (bytes) => void raw.write(bytes),
    onceDrained: (callback) => void raw.once('drain', callback),
    close: () => void raw.destroy(),
  };
};

/** Open streams of this process; knows whose they are, so that limits and revocations find them. */
export class Streams {
  readonly #limits: StreamLimits;
  readonly #open = new Set<Open>();
  readonly #leave: (viewer: Viewer) => void;
  #onCount: ((count: number) => void) | undefined;

  constructor(limits: StreamLimits, leave: (viewer: Viewer) => void) {
    this.#limits = limits;
    this.#leave = leave;
  }

  /** Calls back with the number of open streams whenever it changes. */
  watch(onCount: (count: number) => void): void {
    this.#onCount = onCount;
  }

  /** Begins a stream, or answers why not. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    headers: Readonly<Record<string, string>>,
    join: (sink: Sink) => Viewer,
  ): FastifyReply {
    const user = request.identity?.user ?? '';
    const mine = [...this.#open].filter((open) => open.user === user).length;
    if (this.#open.size >= this.#limits.viewers_max || mine >= this.#limits.viewers_per_user_max)
      return reply
        .code(429)
        .header('retry-after', '30')
        .send({
          error: 'too_many_streams',
          message: `expected at most ${this.#limits.viewers_per_user_max} open streams of one user and ${this.#limits.viewers_max} in all`,
        });
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': EVENT_STREAM,
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
      ...headers,
    });
    reply.raw.flushHeaders();
    const open: Open = { user, session: request.session?.session, viewer: join(sinkOf(reply)) };
    this.#open.add(open);
    this.#onCount?.(this.#open.size);
    reply.raw.once('close', () => {
      this.#open.delete(open);
      this.#onCount?.(this.#open.size);
      this.#leave(open.viewer);
    });
    reply.raw.once('error', () => open.viewer.close()); // the close event follows and tidies up
    return reply;
  }

  /** Ends every stream of a session that is no longer valid. */
  revoke(session: string): void {
    for (const open of this.#open) if (open.session === session) open.viewer.close();
  }
}
