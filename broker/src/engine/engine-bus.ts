// Owns the message bus that the engine is given: the engine's own notes stay inside, anything else is a message.
import type { EnginePacket } from './engine.ts';

type Listener = (packet: EnginePacket, done: () => void) => void;

const LEVELS_OF_NOTES = '$SYS/+/';

/** The interface of mqemitter, as far as the engine uses it. Clients' subscriptions are the plane's and ignored here. */
export class EngineBus {
  readonly #listeners = new Map<string, Listener>();
  readonly #publish: (packet: EnginePacket) => Promise<void>;
  /** `$SYS/<engine>/`, once the engine has its name. */
  readonly #notes: string;

  constructor(engineId: string, publish: (packet: EnginePacket) => Promise<void>) {
    this.#notes = `$SYS/${engineId}/`;
    this.#publish = publish;
  }

  on(filter: string, listener: Listener, done?: () => void): this {
    // The engine's own come first, before there is any client; one each for heartbeats, births and new clients.
    if (filter.startsWith(LEVELS_OF_NOTES) && !this.#listeners.has(filter.slice(LEVELS_OF_NOTES.length)))
      this.#listeners.set(filter.slice(LEVELS_OF_NOTES.length), listener);
    if (done) setImmediate(done);
    return this;
  }

  removeListener(_filter: string, _listener: Listener, done?: () => void): void {
    if (done) setImmediate(done);
  }

  emit(packet: EnginePacket, done: (error?: Error) => void = () => undefined): void {
    if (packet.topic.startsWith(this.#notes)) {
      const listener = this.#listeners.get(packet.topic.slice(this.#notes.length));
      if (listener) listener(packet, done);
      else done();
      return;
    }
    this.#publish(packet).then(() => done(), done);
  }

  close(done: () => void): void {
    setImmediate(done);
  }
}
