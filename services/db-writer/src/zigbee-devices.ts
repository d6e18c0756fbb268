// Owns the Zigbee devices of the imported table `dispositifs`, as mesh/zigbee/devices tells them. Pure.
import { type PayloadOf, TOPICS } from '@monitor-mesh/shared/contract.ts';
import type { Dispositif } from '@monitor-mesh/shared/store/store.ts';

type ZigbeeDevices = PayloadOf<typeof TOPICS.zigbee_devices>;
type ZigbeeDevice = ZigbeeDevices['devices'][number];

const ZIGBEE2MQTT = '6';

/** Rows that Zigbee2MQTT serves: `param` is `hardware:key:colour mode`. A row that does not fit the topic is left out. */
export const zigbeeDevicesOf = (rows: readonly Dispositif[]): ZigbeeDevices => ({
  devices: rows.filter(({ Actif, maj_js }) => Actif === ZIGBEE2MQTT && maj_js !== 'variable').flatMap(entryOf),
});

function entryOf({ nom_objet, ID, idm, param }: Dispositif): readonly ZigbeeDevice[] {
  const [, key, colour] = param.split(':').map((part) => part.trim());
  const entry = { name: nom_objet.trim(), id: ID.trim(), key, ...(idm ? { idm } : {}), ...(colour ? { colour } : {}) };
  const { success, data } = TOPICS.zigbee_devices.schema.shape.devices.element.safeParse(entry);
  return success ? [data] : [];
}
