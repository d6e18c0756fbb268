// Owns the HTTP side of event streams: headers, limits, who may stay, and the end of a stream.
import { setTimeout as pause } from 'node:timers/promises';
import type { AccessContent } from '@monitor-mesh/shared/auth/access-file.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EVENT_STREAM } from './frame.ts';
import { beginAnswer, SocketSink } from './socket-sink.ts';
import { type Standing, standingOf, stillStands } from './standing.ts';
import type { Sink, Viewer } from './viewer.ts';

export interface StreamsOptions {
  readonly viewers_max: number;
  readonly viewers_per_user_max: number;
  /** The access file as it is now. */
  readonly access: () => AccessContent;
  readonly now: () => number;
  readonly leave: (viewer: Viewer) => void;
  readonly onCount: (count: number) => void;
}

interface Open {
  readonly user: string;
  readonly standing: Standing;
  readonly viewer: Viewer;
}

const HEADERS = {
  'content-type': EVENT_STREAM,
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
} as const;
/** How often a drain looks whether all have gone. */
const DRAIN_LOOK_MS = 20;

/** Open streams of this process; knows whose they are, so that limits and revocations find them. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #open = new Set<Open>();
  readonly #perUser = new Map<string, number>();
  #draining = false;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Begins a stream, or answers why not. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    headers: Readonly<Record<string, string>>,
    join: (sink: Sink) => Viewer,
  ): FastifyReply {
    const { viewers_max, viewers_per_user_max, access } = this.#options;
    const { user, role } = request.identity ?? { user: '', role: 'device' };
    // EventSource tries again after a broken connection, but never after an answer that is an error.
    if (this.#draining) return cutOff(reply);
    if (this.#open.size >= viewers_max || (this.#perUser.get(user) ?? 0) >= viewers_per_user_max)
      return reply
        .code(429)
        .header('retry-after', '30')
        .send({
          error: 'too_many_streams',
          message: `expected at most ${viewers_per_user_max} open streams of one user and ${viewers_max} in all`,
        });
    const { session } = request;
    const standing = standingOf({ user, role, session, authorization: request.headers.authorization }, access());
    const socket = beginAnswer(reply, { ...HEADERS, ...headers });
    if (!socket || reply.raw.destroyed) return reply; // it left before it was answered
    const open: Open = { user, standing, viewer: join(new SocketSink(socket)) };
    this.#open.add(open);
    this.#count(user, 1);
    reply.raw.once('close', () => {
      this.#open.delete(open);
      this.#count(user, -1);
      this.#options.leave(open.viewer);
    });
    return reply;
  }

  /** Ends every stream of a session that is no longer valid. */
  revoke(session: string): void {
    for (const { standing, viewer } of this.#open)
      if (standing.kind === 'session' && standing.session.session === session) viewer.close();
  }

  /** Ends every stream whose user, password, token or role is no longer what it was opened with. */
  review(): void {
    const access = this.#options.access();
    const now = this.#options.now();
    for (const { standing, viewer } of this.#open) if (!stillStands(standing, access, now)) viewer.close();
  }

  /** Takes no more streams and waits until those that are open have ended, as `farewell` asks them to, or `ms` is over. */
  async drain(farewell: () => void, ms: number): Promise<void> {
    this.#draining = true;
    farewell();
    const deadline = performance.now() + ms;
    while (this.#open.size > 0 && performance.now() < deadline) await pause(DRAIN_LOOK_MS);
    for (const { viewer } of this.#open) viewer.cut();
  }

  #count(user: string, by: 1 | -1): void {
    const count = (this.#perUser.get(user) ?? 0) + by;
    if (count > 0) this.#perUser.set(user, count);
    else this.#perUser.delete(user);
    this.#options.onCount(this.#open.size);
  }
}

function cutOff(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.raw.destroy();
  return reply;
}
