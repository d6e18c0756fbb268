// Owns the proof that the clients people have work: Debian's mosquitto clients and Paho for Python.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { Inbox, PASSWORD, startRig } from './rig.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;
const PYTHON = '/usr/bin/python3';

const starts = (program: string, ...args: readonly string[]): boolean => spawnSync(program, args).status === 0;
const withoutMosquitto = spawnSync('mosquitto_pub', ['--help']).error ? 'mosquitto-clients is not installed' : false;
const withoutPaho = starts(PYTHON, '-c', 'import paho.mqtt.client') ? false : 'python3-paho-mqtt is not installed';

for (const version of ['mqttv31', 'mqttv311', '5'])
  test(`mosquitto_pub and mosquitto_sub -V ${version}: retained, queued while away, refused`, {
    skip: withoutMosquitto,
  }, async (t) => {
    const { client, port } = await startRig(t);
    const common = ['-h', '127.0.0.1', '-p', String(port), '-V', version, '-u', 'alice', '-P', PASSWORD];
    const publish = (...args: string[]): Promise<unknown> =>
      run('mosquitto_pub', [...common, ...args], { timeout: TIMEOUT_MS });
    const subscribe = async (...args: string[]): Promise<string> =>
      (await run('mosquitto_sub', [...common, ...args], { timeout: TIMEOUT_MS })).stdout;
    const expiry = version === '5' ? ['-x', '600'] : [];

    await publish('-t', 'house/state', '-m', 'closed', '-r', '-q', '2');
    assert.equal(await subscribe('-t', 'house/+', '-C', '1', '-v'), 'house/state closed\n');

    await subscribe('-t', 'house/bell', '-q', '1', '-i', 'tablet', '-c', '-E', ...expiry);
    for (const text of ['1', '2', '3']) await publish('-t', 'house/bell', '-m', text, '-q', '1');
    assert.equal(
      await subscribe('-t', 'house/bell', '-q', '1', '-i', 'tablet', '-c', '-C', '3', ...expiry),
      '1\n2\n3\n',
    );

    const watcher = await client('carol');
    const inbox = new Inbox(watcher);
    await watcher.subscribeAsync(['monitor/#', 'mesh/reject'], { qos: 1 });
    await publish('-t', 'monitor/maj', '-m', '{"id":"317","state":"On"}');
    await inbox.count(1);
    await publish('-t', 'sms/in', '-m', 'forged', '-q', '1').catch(() => undefined); // version 5 ends with the refusal
    await inbox.until(({ topic }) => topic === 'mesh/reject');
    assert.deepEqual(inbox.texts('monitor/maj'), ['{"id":"317","state":"On"}']);
  });

test('mosquitto_pub without a name is the local person, and may not come with a wrong password', {
  skip: withoutMosquitto,
}, async (t) => {
  const { client, port } = await startRig(t);
  const watcher = await client('carol');
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('monitor/maj', { qos: 1 });
  await run('mosquitto_pub', ['-p', String(port), '-t', 'monitor/maj', '-m', '{"id":"317","state":"On"}']);
  await inbox.count(1);
  await assert.rejects(
    run('mosquitto_pub', ['-p', String(port), '-u', 'alice', '-P', 'wrong', '-t', 'bell', '-m', 'x'], {
      timeout: TIMEOUT_MS,
    }),
  );
});

const PAHO = `
import sys, paho.mqtt.client as mqtt
port, transport, version, password = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
wanted = 30
seen = []
arguments = dict(client_id='paho', protocol=version, transport=transport)
if hasattr(mqtt, 'CallbackAPIVersion'):
    arguments['callback_api_version'] = mqtt.CallbackAPIVersion.VERSION1
client = mqtt.Client(**arguments)
client.username_pw_set('alice', password)
def on_connect(c, *rest):
    c.subscribe('house/#', 2)
def on_subscribe(c, *rest):
    for i in range(wanted):
        c.publish('house/bell', 'été %d' % i, qos=i % 3)
def on_message(c, userdata, message):
    seen.append(message.payload.decode())
    if len(seen) == wanted:
        c.disconnect()
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect('127.0.0.1', port, 30)
client.loop_forever()
print(len(set(seen)))
`;

for (const transport of ['tcp', 'websockets'])
  for (const [version, name] of [
    [3, '3.1'],
    [4, '3.1.1'],
    [5, '5'],
  ] as const)
    test(`Paho for Python ${name} over ${transport} gets all it publishes`, { skip: withoutPaho }, async (t) => {
      const { broker, port } = await startRig(t);
      const door =
        transport === 'tcp'
          ? { port }
          : await broker.listenWebSocket({ host: '127.0.0.1', port: 0, allowedOrigins: [] });
      const { stdout } = await run(PYTHON, ['-c', PAHO, String(door.port), transport, String(version), PASSWORD], {
        timeout: TIMEOUT_MS,
      });
      assert.equal(stdout, '30\n');
    });
