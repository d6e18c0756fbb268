// Old scripts over MQTT: Domoticz' texts, the anonymous mqtt.py, and what is heard when a subscriber dies.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { BROKER_ALONE_VARIABLES, startBroker } from '@monitor-mesh/broker/run-broker.ts';
import { readConfig } from '@monitor-mesh/shared/config.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { freePort } from '../../../e2e/free-port.ts';
import { bearer, openMqtt, openStream, startMesh, temporaryFolder, until } from './rig.ts';

const PYTHON = '/usr/bin/python3';
const noPaho = (() => {
  const { status } = spawnSync(PYTHON, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' });
  return status === 0 ? false : 'no python3-paho-mqtt here (as root on Debian: apt-get install python3-paho-mqtt)';
})();
/** As the old script does: anonymous, keepalive 45, on connection it subscribes to its own topic and publishes its pairs. */
const OLD_SCRIPT = `
import json, sys
import paho.mqtt.client as mqtt
host, port, topic, words = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
def on_connect(client, userdata, flags, rc):
    if rc != 0:
        print("refused", rc, flush=True); client.disconnect(); return
    client.subscribe(topic)
    client.publish(topic, json.dumps(dict(zip(words[::2], words[1::2]))))
def on_message(client, userdata, msg):
    print(msg.topic, msg.payload.decode(), msg.qos, msg.retain, flush=True); client.disconnect()
client = mqtt.Client()
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, port, 45)
client.loop_forever()
`;
async function oldScript(mqttUrl: string, ...words: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(mqttUrl);
  const child = spawn(PYTHON, ['-c', OLD_SCRIPT, hostname, port, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  await once(child, 'close');
  return text.trim();
}

test('a text on monitor/dz is a message of the household, a change there is a change, and both reach a screen', async (t) => {
  const mesh = await startMesh(t);
  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token));
  const client = await openMqtt(t, mesh.mqtt_url);
  await client.publishAsync('monitor/dz', '{"value":"poubelle grise"}', { qos: 1 });
  await client.publishAsync('monitor/dz', '{"idx":"41","state":"On"}', { qos: 1 });
  await until('both', () => stream.text().includes('poubelle grise') && stream.text().includes('"41"'));
  await until('the message', async () => {
    const answer = await fetch(`${mesh.url}/api/v1/messages`, { headers: bearer(mesh.token) });
    const { messages } = (await answer.json()) as { messages: { name: string; text: string; unread: boolean }[] };
    return messages.some(({ name, text, unread }) => name === 'dz' && text === 'poubelle grise' && unread);
  });
});

test('the old mqtt.py works as it is on a free topic, and gets its own bytes back', { skip: noPaho }, async (t) => {
  const mesh = await startMesh(t);
  assert.equal(
    await oldScript(mesh.mqtt_url, 'esp/in/boite_lettres', 'valeur', '0'),
    'esp/in/boite_lettres {"valeur": "0"} 0 0',
  );
  assert.equal(await oldScript(mesh.mqtt_url, 'topic', 'a', '1', 'b', '2'), 'topic {"a": "1", "b": "2"} 0 0');
});

/** The broker alone, as in a container, where this machine is no more trusted than another; its URL. */
async function brokerAlone(t: TestContext, environment: Readonly<Record<string, string>>): Promise<string> {
  const mqtt = await freePort();
  const ports = { HTTP_PORT: '0', MQTT_PORT: String(mqtt), MQTT_WS_PORT: '0', DATA_DIR: temporaryFolder(t) };
  const config = readConfig(BROKER_ALONE_VARIABLES, { ...ports, ...environment });
  const broker = await startBroker(config, createLog('test', 'error', { write: () => undefined }));
  t.after(() => broker[Symbol.asyncDispose]());
  return `mqtt://127.0.0.1:${mqtt}`;
}

test('the old mqtt.py comes in from an opened network, and is told that it may not from another', {
  skip: noPaho,
}, async (t) => {
  const words = ['esp/in/boite_lettres', 'valeur', '0'] as const;
  const opened = await brokerAlone(t, { MQTT_OPEN_NETWORKS: '127.0.0.1/32' });
  assert.equal(await oldScript(opened, ...words), 'esp/in/boite_lettres {"valeur": "0"} 0 0');
  const closed = await brokerAlone(t, { MQTT_OPEN_NETWORKS: '192.0.2.0/24' });
  // Return code 5: not authorized (MQTT 3.1.1 §3.2.2.3).
  assert.equal(await oldScript(closed, ...words), 'refused 5');
});

test('a subscriber that dies is heard on monitor/last-will with QoS 1', async (t) => {
  const mesh = await startMesh(t);
  const client = await openMqtt(t, mesh.mqtt_url);
  const heard: string[] = [];
  client.on('message', (topic, payload, { qos, retain }) => void heard.push(`${topic} ${payload} ${qos} ${retain}`));
  await client.subscribeAsync('monitor/last-will', { qos: 1 });
  const will = {
    topic: 'monitor/last-will',
    payload: Buffer.from('client mqtt déconnecté'),
    qos: 1,
    retain: false,
  } as const;
  const dying = await openMqtt(t, mesh.mqtt_url, { will });
  dying.stream.destroy();
  await until('the last will', () => heard.length === 1);
  assert.deepEqual(heard, ['monitor/last-will client mqtt déconnecté 1 false']);
});
