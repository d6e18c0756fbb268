// Owns the demo's house: a few devices that change as a lived-in house does. Nothing of it is real.
import { type BrokerTarget, openClient } from '@monitor-mesh/shared/bus/connection.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { encodePayload } from '@monitor-mesh/shared/decode.ts';

/** Where a device's next state comes from. */
export type SimulatedDevice =
  | { readonly id: string; readonly kind: 'switch'; readonly states: readonly [string, string] }
  | { readonly id: string; readonly kind: 'level' }
  | { readonly id: string; readonly kind: 'temperature'; readonly mean_c: number };

export const SIMULATED_DEVICES: readonly SimulatedDevice[] = [
  { id: 'lampe_entree', kind: 'switch', states: ['On', 'Off'] },
  { id: 'lampe_jardin', kind: 'switch', states: ['On', 'Off'] },
  { id: 'porte_entree', kind: 'switch', states: ['Open', 'Closed'] },
  { id: 'fenetre_salon', kind: 'switch', states: ['Open', 'Closed'] },
  { id: 'volet_chambre', kind: 'level' },
  { id: 'temp_salon', kind: 'temperature', mean_c: 20.5 },
  { id: 'temp_cave', kind: 'temperature', mean_c: 14 },
];

/** These speak as Zigbee2MQTT lets them, and take its commands. */
const ZIGBEE: ReadonlyMap<string, SimulatedDevice> = new Map(
  [
    { id: 'prise_bureau', kind: 'switch', states: ['ON', 'OFF'] } as const,
    { id: 'capteur_cave', kind: 'temperature', mean_c: 13.5 } as const,
  ].map((device) => [device.id, device]),
);
const ZIGBEE_SET = 'zigbee2mqtt/+/set';

const EVERY_MS = 1_500;

/** The state a device changes to. `chance` is in [0, 1). */
export function nextState(device: SimulatedDevice, before: string | undefined, chance: number): string {
  switch (device.kind) {
    case 'switch':
      return before === device.states[0] ? device.states[1] : device.states[0];
    case 'level':
      return `Set Level: ${Math.round(chance * 10) * 10} %`;
    case 'temperature': {
      const now = Number(before ?? device.mean_c);
      return (now + (chance - 0.5) * 0.6 + (device.mean_c - now) * 0.1).toFixed(1);
    }
    default:
      return device satisfies never;
  }
}

/** As Zigbee2MQTT writes it. */
const zigbeeReport = (kind: SimulatedDevice['kind'], state: string): string =>
  JSON.stringify({ ...(kind === 'switch' ? { state } : { temperature: Number(state) }), linkquality: 90 });

/** Lets the house live until the returned function is called. */
export function simulateHouse(target: BrokerTarget, random: () => number = Math.random): () => Promise<void> {
  const client = openClient(target, { clientId: 'demo-house', clean: true });
  const states = new Map<string, string>();
  const devices = [...SIMULATED_DEVICES, ...ZIGBEE.values()];
  let turn = 0;
  client.subscribe(ZIGBEE_SET);
  client.on('message', (topic, payload) => {
    const id = topic.split('/')[1] ?? '';
    const wish = /"state":\s*"(ON|OFF)"/u.exec(payload.toString())?.[1];
    if (wish === undefined || ZIGBEE.get(id)?.kind !== 'switch') return;
    states.set(id, wish);
    client.publish(`zigbee2mqtt/${id}`, zigbeeReport('switch', wish));
  });
  const timer = setInterval(() => {
    const device = devices[turn++ % devices.length];
    if (!device || !client.connected) return;
    const state = nextState(device, states.get(device.id), random());
    states.set(device.id, state);
    if (ZIGBEE.has(device.id)) client.publish(`zigbee2mqtt/${device.id}`, zigbeeReport(device.kind, state));
    else
      client.publish(TOPICS.maj.pattern, encodePayload(TOPICS.maj, { id: device.id, state, source: 'demo' }), {
        qos: 1,
      });
  }, EVERY_MS);
  return async () => {
    clearInterval(timer);
    await client.endAsync();
  };
}
