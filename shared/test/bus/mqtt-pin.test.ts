// Pins what durable-consumer.ts takes for granted of MQTT.js. A new version of it must pass here before it is used.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import { openClient } from '../../src/bus/connection.ts';
import { Peer } from './peer.ts';

const VERSION = '5.16.0';

async function connected(t: TestContext): Promise<{ readonly peer: Peer; readonly client: MqttClient }> {
  const peer = new Peer();
  const client = openClient({ attach: peer.attach }, { clientId: 'pin', clean: false, reconnectPeriod: 0 });
  t.after(() => client.endAsync(true));
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  return { peer, client };
}

const commands = (peer: Peer): readonly string[] => peer.link.packets.map(({ cmd }) => cmd ?? '');
/** A packet after which everything that the client meant to answer before it has been written. */
const marker = async (peer: Peer, client: MqttClient): Promise<void> => {
  await client.publishAsync('marker', 'x', { qos: 0 });
  await peer.until('the marker', () => commands(peer).includes('publish'));
};

suite(`MQTT.js ${VERSION}`, () => {
  test('is the version that was looked at', () => {
    const { version } = createRequire(import.meta.url)('mqtt/package.json') as { version: string };
    assert.equal(version, VERSION);
  });

  test('acknowledges a QoS 1 message by itself when it is left alone', async (t) => {
    const { peer, client } = await connected(t);
    const seen = new Promise((resolve) => client.once('message', resolve));
    peer.publish('a');
    await seen;
    await peer.until('the PUBACK', () => peer.link.acks.length === 1);
    await marker(peer, client);
    assert.deepEqual(commands(peer), ['connect', 'puback', 'publish']);
  });

  test('writes no PUBACK for a packet whose qos is set to 0 at packetreceive, and still hands it on', async (t) => {
    const { peer, client } = await connected(t);
    const ids: unknown[] = [];
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'publish') return;
      ids.push(packet.messageId);
      packet.qos = 0;
    });
    const texts: string[] = [];
    const seen = new Promise<void>((resolve) =>
      client.on('message', (_topic, payload) => {
        if (texts.push(payload.toString()) === 3) resolve();
      }),
    );
    peer.publish('a', 'b', 'c');
    await seen;
    await marker(peer, client);
    assert.deepEqual(commands(peer), ['connect', 'publish']);
    assert.deepEqual(
      [ids, texts],
      [
        [1, 2, 3],
        ['a', 'b', 'c'],
      ],
    );
  });

  test('looks at no packet after one whose handleMessage has not called back, stops reading, and goes on where it was', async (t) => {
    const { peer, client } = await connected(t);
    let release: (() => void) | undefined;
    let received = 0;
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish') received += 1;
    });
    const blocked = new Promise<void>((resolve) => {
      client.handleMessage = (_packet, next) => {
        release = () => next();
        resolve();
      };
    });
    const large = 'x'.repeat(10_000);
    for (let count = 0; count < 200; count++) peer.publish(large);
    await blocked;
    for (let count = 0; count < 50; count++) await turn();
    assert.equal(received, 1);
    assert.ok(peer.link.end.writableLength > 100 * 10_000, 'the rest waits with the sender');
    client.handleMessage = (_packet, next) => next();
    release?.();
    await peer.until('the acknowledgement of all', () => peer.link.acks.length === 200);
    assert.equal(received, 200);
  });

  test('tells the end of a connection before it asks for the next one', async (t) => {
    const peer = new Peer();
    const order: string[] = [];
    const client = openClient(
      {
        attach: () => {
          order.push('stream');
          return peer.attach();
        },
      },
      { clientId: 'pin', reconnectPeriod: 1 },
    );
    t.after(() => client.endAsync(true));
    client.on('close', () => order.push('close'));
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    peer.link.end.destroy();
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    assert.deepEqual(order, ['stream', 'close', 'stream']);
  });
});
