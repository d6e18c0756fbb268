// Owns the seam of the broker: what a process asks of it and gives to it, without a word of the engine behind.
import type { Duplex } from 'node:stream';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Metrics } from '@monitor-mesh/shared/metrics.ts';
import type { Authenticate } from './connect-gate.ts';
import type { BrokerImage } from './image.ts';
import type { Limits } from './limits.ts';
import type { Persistence } from './persistence.ts';
import type { WebSocketListenerOptions } from './websocket-listener.ts';

export interface BrokerOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly authenticate: Authenticate;
  /** Services whose durable sessions exist from the start. */
  readonly consumers: readonly ServiceName[];
  /** Told in `$SYS/broker/version`. */
  readonly version: string;
  /** Any implementation of the aedes-persistence interface; in memory when absent. */
  readonly persistence?: Persistence;
  /** What an earlier broker's `dump` gave, for an empty persistence. */
  readonly restore?: BrokerImage;
  /** Name under which messages are counted: never the same for two runs over one persistence. */
  readonly id?: string;
  readonly now?: () => number;
  readonly limits?: Partial<Limits>;
}

export interface OwnPublish {
  readonly retain?: boolean;
}

export interface MeshBroker extends AsyncDisposable {
  /** A connection inside the process: bytes of MQTT, no password; the identity is the host's word. */
  attach(identity: Identity): Duplex;
  /** @throws the system's error (EADDRINUSE…) */
  listenTcp(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /** Never anonymous. @throws the system's error (EADDRINUSE…) */
  listenWebSocket(options: WebSocketListenerOptions): Promise<{ readonly port: number }>;
  /** The broker's own messages; QoS as in the contract. Resolves when the message is queued and sent. */
  publishOwn(topic: string, payload: string | Buffer, options?: OwnPublish): Promise<void>;
  /** Messages queued for absent or slow persistent sessions. */
  waiting(): Promise<number>;
  /** Retained messages and persistent sessions; whole when taken after `close`. */
  dump(): Promise<BrokerImage>;
  /** Ends every connection. Last wills are published first. */
  close(): Promise<void>;
}
