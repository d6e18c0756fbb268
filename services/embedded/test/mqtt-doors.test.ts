// Old scripts over MQTT: Domoticz' texts, the anonymous mqtt.py, and what is heard when a subscriber dies.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { bearer, openMqtt, openStream, startMesh, until } from './rig.ts';

const PYTHON = '/usr/bin/python3';
const noPaho = (() => {
  const { status } = spawnSync(PYTHON, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' });
  return status === 0 ? false : 'no python3-paho-mqtt here (as root on Debian: apt-get install python3-paho-mqtt)';
})();
/** As the old script does: anonymous, keepalive 45, on connection it subscribes to its own topic and publishes a pair. */
const OLD_SCRIPT = `
import json, sys
import paho.mqtt.client as mqtt
host, port, topic, key, value = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
def on_connect(client, userdata, flags, rc):
    if rc != 0:
        print("refused", rc, flush=True); sys.exit(1)
    client.subscribe(topic)
    client.publish(topic, json.dumps({key: value}))
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
