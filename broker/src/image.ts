// Owns the image of a broker at rest: retained messages and persistent sessions as plain JSON, taken and put back.
import type { Engine, EnginePacket, EngineSubscription, PacketProperties } from './engine.ts';
import type { Persistence, QueuedPacket } from './persistence.ts';
import type { Session, SessionLedger } from './session-ledger.ts';

interface MessageImage extends Omit<EnginePacket, 'payload' | 'properties'> {
  /** Base64. */
  readonly payload: string;
  readonly properties?: Omit<PacketProperties, 'correlationData'> & { readonly correlationData?: string };
}

interface PubrelImage {
  readonly cmd: 'pubrel';
  readonly messageId: number;
}

export interface SessionImage extends Session {
  readonly subscriptions: readonly EngineSubscription[];
  /** Oldest first. */
  readonly queue: readonly (MessageImage | PubrelImage)[];
}

/** Everything that outlives a stop. JSON, payloads in base64. */
export interface BrokerImage {
  readonly format: 1;
  readonly engine_id: string;
  readonly counter: number;
  readonly retained: readonly MessageImage[];
  readonly sessions: readonly SessionImage[];
}

type Queued = EnginePacket | (QueuedPacket & { readonly cmd: 'pubrel' });

const isPubrel = (packet: MessageImage | PubrelImage): packet is PubrelImage => packet.cmd === 'pubrel';

function messageImage({ payload, properties, ...packet }: EnginePacket): MessageImage {
  const { correlationData, ...plain } = properties ?? {};
  return {
    ...packet,
    payload: Buffer.from(payload).toString('base64'),
    ...(properties && {
      properties: { ...plain, ...(correlationData && { correlationData: correlationData.toString('base64') }) },
    }),
  };
}

function messageOf({ payload, properties, ...packet }: MessageImage): EnginePacket {
  const { correlationData, ...plain } = properties ?? {};
  return {
    ...packet,
    payload: Buffer.from(payload, 'base64'),
    ...(properties && {
      properties: {
        ...plain,
        ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, 'base64') }),
      },
    }),
  };
}

/** What waits for a session, oldest first. */
export async function queueOf(persistence: Persistence, clientId: string): Promise<readonly Queued[]> {
  const queue: Queued[] = [];
  for await (const packet of persistence.outgoingStream({ id: clientId })) queue.push(packet);
  return queue;
}

/** How many messages wait in all sessions. */
export async function countWaiting(persistence: Persistence, ledger: SessionLedger): Promise<number> {
  let waiting = 0;
  for (const { client_id } of ledger.sessions(0)) waiting += (await queueOf(persistence, client_id)).length;
  return waiting;
}

export async function takeImage(
  engine: Engine,
  persistence: Persistence,
  ledger: SessionLedger,
  nowMs: number,
): Promise<BrokerImage> {
  const retained: MessageImage[] = [];
  for await (const packet of persistence.createRetainedStream('#')) {
    const message: EnginePacket = packet;
    if (!message.topic.startsWith('$')) retained.push(messageImage(message));
  }
  const sessions: SessionImage[] = [];
  for (const session of ledger.sessions(nowMs)) {
    const queue = await queueOf(persistence, session.client_id);
    sessions.push({
      ...session,
      subscriptions: await persistence.subscriptionsByClient({ id: session.client_id }),
      queue: queue.map((packet) =>
        packet.cmd === 'pubrel' ? { cmd: 'pubrel', messageId: packet.messageId ?? 0 } : messageImage(packet),
      ),
    });
  }
  return { format: 1, engine_id: engine.id, counter: engine.counter, retained, sessions };
}

/** Puts an image into an empty persistence. Sessions whose end has passed are left out. */
export async function restoreImage(
  image: BrokerImage,
  persistence: Persistence,
  ledger: SessionLedger,
  nowMs: number,
): Promise<void> {
  for (const message of image.retained) await persistence.storeRetained(messageOf(message));
  for (const { subscriptions, queue, ...session } of image.sessions) {
    if (session.ends_at_ms !== undefined && session.ends_at_ms <= nowMs) continue;
    ledger.enter(session);
    if (subscriptions.length > 0) await persistence.addSubscriptions({ id: session.client_id }, subscriptions);
    for (const [index, packet] of queue.entries()) await restoreQueued(persistence, session.client_id, packet, index);
  }
}

/** The interface gives packet identifiers only to messages that are queued already, and knows a PUBREL only in place of one. */
async function restoreQueued(
  persistence: Persistence,
  clientId: string,
  image: MessageImage | PubrelImage,
  index: number,
): Promise<void> {
  const client = { id: clientId };
  const packet: EnginePacket = isPubrel(image)
    ? {
        cmd: 'publish',
        topic: 'received',
        payload: Buffer.alloc(0),
        qos: 2,
        retain: false,
        brokerId: 'image',
        brokerCounter: index + 1,
      }
    : messageOf(image);
  await persistence.outgoingEnqueue({ clientId }, packet);
  const { messageId } = image;
  if (messageId === undefined || typeof packet.brokerId !== 'string' || packet.brokerCounter === undefined) return;
  await persistence.outgoingUpdate(client, {
    cmd: 'publish',
    brokerId: packet.brokerId,
    brokerCounter: packet.brokerCounter,
    messageId,
  });
  if (isPubrel(image)) await persistence.outgoingUpdate(client, { cmd: 'pubrel', messageId });
}
