// Owns the seam of the broker: what a process asks of it and gives to it, without a word of the engine behind.
import type { Duplex } from 'node:stream';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Metrics } from '@monitor-mesh/shared/metrics.ts';
import type { Authenticate } from './access/connect-gate.ts';
import type { TlsListenerOptions } from './doors/tls-listener.ts';
import type { WebSocketListenerOptions } from './doors/websocket-listener.ts';
import type { Limits } from './limits.ts';
import type { BrokerStore } from './store/broker-store.ts';

export interface BrokerOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly authenticate: Authenticate;
  /** Services whose durable sessions exist from the start. */
  readonly consumers: readonly ServiceName[];
  /** Told in `$SYS/broker/version`. */
  readonly version: string;
  /** Where sessions, queues and retained messages are kept; in memory when absent. Closed with the broker. */
  readonly store?: BrokerStore;
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
  /** @throws MeshError `tls_unusable`, or the system's error (EADDRINUSE…) */
  listenTls(options: TlsListenerOptions): Promise<{ readonly port: number }>;
  /** The broker's own messages; QoS as in the contract. Resolves when the message is safe and on its way. */
  publishOwn(topic: string, payload: string | Buffer, options?: OwnPublish): Promise<void>;
  /** Messages queued for absent or slow persistent sessions. */
  readonly waiting: number;
  /** Why nothing can be promised now (a full disk, a full queue); `undefined` in health. */
  readonly obstacle: string | undefined;
  /** Ends every connection and the store. Last wills are published first. */
  close(): Promise<void>;
}
