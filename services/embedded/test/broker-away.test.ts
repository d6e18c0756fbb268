// Services on their own, as in containers, while the broker is away, comes, goes and does not answer.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createBrokerModule } from '@monitor-mesh/broker/service.ts';
import { dbWriter } from '@monitor-mesh/db-writer/service.ts';
import { embeddedVariables } from '@monitor-mesh/embedded/config.ts';
import { EMBEDDED_SERVICES } from '@monitor-mesh/embedded/embedded.ts';
import { monitorApi } from '@monitor-mesh/monitor-api/service.ts';
import { ensureFirstLogin, readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { digestOf } from '@monitor-mesh/shared/auth/password.ts';
import { readConfig } from '@monitor-mesh/shared/config.ts';
import { SERVICES } from '@monitor-mesh/shared/contract.ts';
import { Host } from '@monitor-mesh/shared/host.ts';
import { createDoor, type Door, ensureSessionKey, readSessionKey } from '@monitor-mesh/shared/http/door.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import type { ServiceModule } from '@monitor-mesh/shared/service.ts';
import { sseGateway } from '@monitor-mesh/sse-gateway/service.ts';
import { bearer, openStream, temporaryFolder, until } from './rig.ts';

const log = createLog('test', 'silent');
const SECRET = 'the-same-for-all-in-this-test';

interface House {
  readonly folder: string;
  readonly door: Door;
  readonly config: Readonly<Record<string, unknown>>;
  readonly token: string;
}

async function newHouse(t: TestContext): Promise<House> {
  const folder = temporaryFolder(t);
  const config = readConfig(embeddedVariables(EMBEDDED_SERVICES), {
    DATABASE_URL: `sqlite:${join(folder, 'monitor.sqlite')}`,
    API_PUBLISH_TIMEOUT_MS: '300',
  });
  const door = createDoor(config, join(folder, 'access.json'), readSessionKey(ensureSessionKey(folder)));
  await ensureFirstLogin(folder, door.authenticator.file);
  const services = Object.fromEntries(SERVICES.map((service) => [service, digestOf(SECRET)]));
  door.authenticator.file.update((before) => ({ ...before, services }));
  return { folder, door, config, token: readFirstLogin(folder)?.token ?? '' };
}

async function startHost(
  t: TestContext,
  house: House,
  modules: readonly ServiceModule[],
  mqttPort: number,
): Promise<{ readonly host: Host; readonly url: string }> {
  const host = new Host({
    log,
    metrics: createMetrics(),
    version: '0',
    http: { host: '127.0.0.1', port: 0 },
    door: house.door,
    modules,
    config: { ...house.config, MQTT_HOST: '127.0.0.1', MQTT_PORT: mqttPort, MQTT_WS_PORT: 0 },
    target: (service) => ({ url: `mqtt://127.0.0.1:${mqttPort}`, username: service, password: SECRET }),
  });
  let stopped: Promise<void> | undefined;
  const stop = host.stop.bind(host);
  host.stop = () => {
    stopped ??= stop();
    return stopped;
  };
  t.after(() => host.stop());
  await host.start();
  return { host, url: `http://127.0.0.1:${host.httpPort}` };
}

const brokerModule = (house: House): ServiceModule =>
  createBrokerModule({
    consumers: ['sse-gateway', 'db-writer'],
    store_path: join(house.folder, 'broker.lmdb'),
    local_is_trusted: false,
  }) as unknown as ServiceModule;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}

const maj = (url: string, id: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${url}/api/json.php?app=maj&id=${id}&state=On`, { headers });

test('services wait for a broker that starts later, say so, and a maj meanwhile is a 503 that is never sent behind anyone’s back', async (t) => {
  const house = await newHouse(t);
  const port = await freePort();
  const { url } = await startHost(t, house, [dbWriter, sseGateway, monitorApi], port);
  const ready = await fetch(`${url}/health/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /the broker is not connected/);
  const stream = await openStream(t, `${url}/api/v1/stream`, bearer(house.token));
  await until('the screen is told', () =>
    stream.events.some(({ event, data }) => event === 'link' && data === '{"broker":false}'),
  );
  const refused = await maj(url, 'early');
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { error: string }).error, 'not_sent');
  assert.ok(refused.headers.get('retry-after'));

  await startHost(t, house, [brokerModule(house)], port);
  await until('ready', async () => (await fetch(`${url}/health/ready`)).ok);
  await until('the screen is told again', () =>
    stream.events.some(({ event, data }) => event === 'link' && data === '{"broker":true}'),
  );
  assert.equal((await maj(url, 'late')).status, 200);
  await until('the event', () => stream.text().includes('"late"'));
  assert.ok(!stream.text().includes('"early"'));
});

test('a broker that goes and comes back finds every service again, with what waited for them', async (t) => {
  const house = await newHouse(t);
  const port = await freePort();
  const first = await startHost(t, house, [brokerModule(house)], port);
  const { url } = await startHost(t, house, [dbWriter, sseGateway, monitorApi], port);
  await until('ready', async () => (await fetch(`${url}/health/ready`)).ok);
  assert.equal((await maj(url, 'a')).status, 200);
  await first.host.stop();
  await until('not ready', async () => (await fetch(`${url}/health/ready`)).status === 503);
  assert.equal((await maj(url, 'lost?')).status, 503);
  await startHost(t, house, [brokerModule(house)], port);
  await until('ready again', async () => (await fetch(`${url}/health/ready`)).ok);
  assert.equal((await maj(url, 'b')).status, 200);
  await until('both in the history', async () => {
    const answer = (await (await fetch(`${url}/api/v1/events`, { headers: bearer(house.token) })).json()) as {
      events: { id: string }[];
    };
    return JSON.stringify(answer.events.map(({ id }) => id)) === '["b","a"]';
  });
});

/** Answers CONNECT and SUBSCRIBE as a broker does, and nothing else. */
async function mutePeer(t: TestContext): Promise<{ readonly port: number; readonly sockets: Set<Socket> }> {
  const { default: mqtt } = await import('mqtt-packet');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const parser = mqtt.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect')
        socket.write(mqtt.generate({ cmd: 'connack', reasonCode: 0, sessionPresent: false }, { protocolVersion: 5 }));
      if (packet.cmd === 'subscribe')
        socket.write(
          mqtt.generate(
            { cmd: 'suback', messageId: packet.messageId ?? 1, granted: packet.subscriptions.map(() => 1) } as never,
            { protocolVersion: 5 },
          ),
        );
    });
    socket.on('data', (chunk) => parser.parse(Buffer.from(chunk)));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { sockets, port: address !== null && typeof address === 'object' ? address.port : 0 };
}

test('a broker that takes a message and never answers makes a 504 with the mid, and the caller’s own key is that mid', async (t) => {
  const house = await newHouse(t);
  const { port } = await mutePeer(t);
  const { url } = await startHost(t, house, [monitorApi], port);
  await until('connected', async () => (await fetch(`${url}/health/ready`)).ok);
  const answer = await maj(url, '317', { 'idempotency-key': 'my-own-key' });
  assert.equal(answer.status, 504);
  const body = (await answer.json()) as { error: string; mid: string };
  assert.deepEqual([body.error, body.mid], ['outcome_unknown', 'my-own-key']);
});

test('the same Idempotency-Key twice is one event and one row', async (t) => {
  const house = await newHouse(t);
  const port = await freePort();
  await startHost(t, house, [brokerModule(house)], port);
  const { url } = await startHost(t, house, [dbWriter, sseGateway, monitorApi], port);
  await until('ready', async () => (await fetch(`${url}/health/ready`)).ok);
  const stream = await openStream(t, `${url}/include/serveur_sse.php`);
  for (const key of ['once', 'once', 'again'])
    assert.equal((await maj(url, '317', { 'idempotency-key': key })).status, 200);
  await until('two events', () => stream.events.length >= 2);
  await until('two rows', async () => {
    const answer = (await (await fetch(`${url}/api/v1/events`, { headers: bearer(house.token) })).json()) as {
      events: { mid: string }[];
    };
    return JSON.stringify(answer.events.map(({ mid }) => mid)) === '["again","once"]';
  });
  assert.equal(stream.events.length, 2);
});

test('a subscriber that dies leaves the old last will behind', async (t) => {
  const house = await newHouse(t);
  const port = await freePort();
  await startHost(t, house, [brokerModule(house)], port);
  const { openMqtt } = await import('./rig.ts');
  const seen: string[] = [];
  const listener = await openMqtt(t, `mqtt://127.0.0.1:${port}`, { username: 'admin', password: house.token });
  listener.on('message', (topic, payload, { qos, retain }) => seen.push(`${topic} ${payload} ${qos} ${retain}`));
  await listener.subscribeAsync('monitor/last-will', { qos: 1 });
  // The gateway reaches the broker through a wire that can be cut.
  const { connect } = await import('node:net');
  const wires = new Set<Socket>();
  const wire = createServer((socket) => {
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [socket, far],
      [far, socket],
    ] as const) {
      wires.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  t.after(() => wire.close());
  const address = wire.address();
  const { host } = await startHost(
    t,
    house,
    [sseGateway],
    address !== null && typeof address === 'object' ? address.port : 0,
  );
  await until('ready', () => host.readiness().ready);
  wire.close();
  for (const socket of wires) socket.resetAndDestroy();
  await until('the last will', () => seen.length > 0);
  assert.equal(seen[0], 'monitor/last-will client mqtt déconnecté 1 false');
});
