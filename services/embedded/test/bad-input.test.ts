// Input that does not fit: named, counted, and nothing else changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, openMqtt, startMesh, until } from './rig.ts';

interface Reject {
  readonly topic: string;
  readonly reason: string;
  readonly count: number;
}

test('every bad payload is told to mesh/reject with its reason, and the good one after it still arrives', async (t) => {
  const mesh = await startMesh(t);
  const listener = await openMqtt(t, mesh.mqtt_url);
  const rejects: Reject[] = [];
  listener.on('message', (_topic, payload) => rejects.push(JSON.parse(payload.toString()) as Reject));
  await listener.subscribeAsync('mesh/reject', { qos: 1 });
  const client = await openMqtt(t, mesh.mqtt_url);
  const bad: readonly (readonly [string | Buffer, RegExp])[] = [
    ['not json', /expected JSON/],
    ['{"id":"317"}', /state: expected/],
    ['{"id":"","state":"On"}', /id: /],
    ['{"id":["317"],"state":"On"}', /id: expected text or a number/],
    ['{"id":"317","state":{"a":1}}', /state: expected text, a number or a boolean/],
    ['[]', /expected an object/],
    ['null', /expected an object/],
    ['{}', /expected 1 to 100 updates/],
    [Buffer.from([0xff, 0xfe, 0x00]), /expected UTF-8/],
    ['{"id":"a\\u0000b","state":"On"}', /expected no control characters/],
    ['{"id":"317","state":"On","at":"yesterday"}', /at: /],
    [JSON.stringify({ id: '317', state: 'x'.repeat(5_000) }), /4096/],
    [JSON.stringify({ id: '317', state: 'x'.repeat(1_000_000) }), /256 KiB/],
  ];
  for (const [payload] of bad) await client.publishAsync('monitor/maj', payload, { qos: 1 }).catch(() => undefined);
  for (const [payload, reason] of bad) {
    await until(`a reject like ${reason} for ${String(payload).slice(0, 40)}`, () =>
      rejects.some((reject) => reject.topic === 'monitor/maj' && reason.test(reject.reason)),
    );
  }
  await client.publishAsync('monitor/maj', '{"id":"317","state":"On"}', { qos: 1 });
  await until('the good one', async () => {
    const devices = (await (await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(mesh.token) })).json()) as {
      devices: { id: string }[];
    };
    return JSON.stringify(devices.devices.map(({ id }) => id)) === '["317"]';
  });
  assert.ok(mesh.mesh.host.readiness().ready);
});

test('what a person types works: numbers, booleans, idx for id, and the seed script’s pairs', async (t) => {
  const mesh = await startMesh(t);
  const client = await openMqtt(t, mesh.mqtt_url);
  for (const payload of [
    '{"id":317,"state":1}',
    '{"idx":"318","state":true}',
    '{"319": "On", "320": 21.5}',
    '{"id":"emoji 🙂/+#","state":"x"}',
  ])
    await client.publishAsync('monitor/maj', payload, { qos: 0 });
  await until('five devices', async () => {
    const answer = (await (await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(mesh.token) })).json()) as {
      devices: { id: string; state: string }[];
    };
    return (
      JSON.stringify(answer.devices.map(({ id, state }) => [id, state])) ===
      '[["317","1"],["318","true"],["319","On"],["320","21.5"],["emoji 🙂/+#","x"]]'
    );
  });
});

test('bad HTTP input is a 4xx with a reason, and no answer holds SQL or a stack', async (t) => {
  const mesh = await startMesh(t);
  const headers = { ...bearer(mesh.token), 'content-type': 'application/json' };
  const requests: readonly (readonly [string, RequestInit, number])[] = [
    ['/api/v1/devices/317', { method: 'POST', body: '{"state":', headers }, 400],
    ['/api/v1/devices/317', { method: 'POST', body: '{}', headers }, 400],
    ['/api/v1/devices/317', { method: 'POST', body: '{"state":"On","extra":1}', headers }, 400],
    ['/api/v1/devices/317', { method: 'POST', body: JSON.stringify({ state: 'x'.repeat(1_000_000) }), headers }, 413],
    [
      '/api/v1/devices/317',
      { method: 'POST', body: '{"state":"On"}', headers: { ...headers, 'idempotency-key': 'a b' } },
      400,
    ],
    ['/api/v1/devices/nobody', { headers }, 404],
    ['/api/v1/events?limit=0', { headers }, 400],
    ["/api/v1/events?from=';DROP TABLE device", { headers }, 400],
    ['/api/v1/events?unknown=1', { headers }, 400],
    ['/api/v1/messages/m', { method: 'PUT', body: '{"text":1,"unread":"maybe"}', headers }, 400],
    ['/nothing/here', { headers }, 404],
    ['/monitor/api/json.php?app=maj&id=%ff&state=%00', {}, 400],
  ];
  for (const [path, init, status] of requests) {
    const answer = await fetch(`${mesh.url}${path}`, init);
    const body = await answer.text();
    assert.equal(answer.status, status, `${path}: ${body}`);
    assert.doesNotMatch(body, /SELECT|INSERT|sqlite|at .*\.ts:|node_modules/i, path);
  }
});
