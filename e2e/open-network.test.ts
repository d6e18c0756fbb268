// A broker of its own, and old devices that know no password: only from networks that the owner opened, and only as devices.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './mesh-process.ts';
import { until } from './rig.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The broker as a container runs it; its URL once it is ready. */
async function startBroker(t: TestContext, environment: Readonly<Record<string, string>>): Promise<string> {
  const [mqtt, ws, http] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'broker/src/main.ts'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      DATA_DIR: temporaryFolder(t),
      MQTT_PORT: String(mqtt),
      MQTT_WS_PORT: String(ws),
      HTTP_PORT: String(http),
      ...environment,
    },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await ended;
  });
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${http}/health/ready`).catch(() => undefined))?.ok ?? false;
  await until('the broker is ready', isReady);
  return `mqtt://127.0.0.1:${mqtt}`;
}

test('without an opened network nobody comes in without a password, not even from this machine', async (t) => {
  const url = await startBroker(t, {});
  await assert.rejects(connectAsync(url, { reconnectPeriod: 0 }), /Not authorized/u);
});

test('from an opened network an old device reports states and uses free topics, and commands nothing', async (t) => {
  const url = await startBroker(t, { MQTT_OPEN_NETWORKS: '127.0.0.1/32' });
  // As the old mqtt.py: 3.1.1, anonymous, its own topic.
  const device = await connectAsync(url, { reconnectPeriod: 0, keepalive: 45, protocolVersion: 4 });
  t.after(() => device.endAsync(true));
  const heard: string[] = [];
  device.on('message', (topic, payload, { qos, retain }) => void heard.push(`${topic} ${payload} ${qos} ${retain}`));
  await device.subscribeAsync('esp/in/boite_lettres');
  await device.publishAsync('esp/in/boite_lettres', '{"valeur": "0"}');
  await until('its own message', () => heard.length === 1);
  assert.deepEqual(heard, ['esp/in/boite_lettres {"valeur": "0"} 0 false']);

  const modern = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 5 });
  t.after(() => modern.endAsync(true));
  await modern.publishAsync('monitor/maj', '{"id":"317","state":"On"}', { qos: 1 });
  for (const topic of ['sms/out', 'alarm/cmd', 'db/record', 'domoticz/in', 'zigbee/cmd'])
    await assert.rejects(modern.publishAsync(topic, '{}', { qos: 1 }), /Not authorized/u, topic);
});
