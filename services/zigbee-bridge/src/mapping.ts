// Owns which device of the house stands behind a friendly name of Zigbee2MQTT, and under which ids it is shown. Pure.
import { zigbeeEntry } from '@monitor-mesh/shared/contract.ts';
import { schemaFault } from '@monitor-mesh/shared/decode.ts';
import type { z } from 'zod';

export type ColourMode = 'hs' | 'xy' | 'color_temp';
type Entry = z.output<typeof zigbeeEntry>;
export type Champ = 'Data' | 'temperature' | 'humidity';

/** One key of one device: where its value goes. */
export interface Slot {
  readonly name: string;
  readonly key: string;
  /** The house's id of the device. */
  readonly id: string;
  readonly idm: string;
  /** Id on monitor/maj; no two keys share one. */
  readonly maj_id: string;
  /** Column of the old page, when it knows the key. */
  readonly champ: Champ | undefined;
  readonly colour: ColourMode | undefined;
}

/** Slots by friendly name. */
export type Mapping = ReadonlyMap<string, readonly Slot[]>;
export const NO_MAPPING: Mapping = new Map();

/** What of a list could be used, and why the rest could not. */
export interface ReadMapping {
  readonly mapping: Mapping;
  readonly faults: readonly string[];
}

const CHAMP_OF_KEY: Readonly<Record<string, Champ>> = {
  state: 'Data',
  state_l1: 'Data',
  state_l2: 'Data',
  contact: 'Data',
  soil_moisture: 'Data',
  temperature: 'temperature',
  humidity: 'humidity',
};
const champOf = (key: string): Champ | undefined => (Object.hasOwn(CHAMP_OF_KEY, key) ? CHAMP_OF_KEY[key] : undefined);

/** The mapping that a list of entries describes; `devices` is the `devices` of the file or of mesh/zigbee/devices. */
export function readMapping(devices: unknown): ReadMapping {
  if (!Array.isArray(devices))
    return { mapping: NO_MAPPING, faults: [`expected {"devices": [{"name", "id", "key"}, …]}, got ${typeof devices}`] };
  const faults: string[] = [];
  const entries: { readonly entry: Entry; readonly label: string }[] = [];
  for (const [index, value] of devices.entries()) {
    const { success, data, error } = zigbeeEntry.safeParse(withTextIds(value));
    const label = `entry ${index + 1}`;
    if (success) entries.push({ entry: data, label });
    else faults.push(`${label}: ${schemaFault(error, value)}`);
  }
  return { mapping: slotsOf(entries, faults), faults };
}

/** People write numbers without quotation marks, and databases give null for what is absent. */
function withTextIds(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      (name === 'id' || name === 'idm') && typeof field === 'number' ? String(field) : field,
    ]),
  );
}

function slotsOf(
  entries: readonly { readonly entry: Entry; readonly label: string }[],
  faults: string[],
): Map<string, readonly Slot[]> {
  const slots = new Map<string, Slot[]>();
  const owners = new Map<string, string>();
  const all = entries.map(({ entry }) => entry);
  for (const { entry, label } of entries) {
    const { name, key, id, idm = '', colour } = entry;
    const maj_id = entry.maj_id ?? majIdOf(entry, all);
    const owner = JSON.stringify([name, key]);
    const other = owners.get(maj_id) ?? owner;
    if (other !== owner) {
      faults.push(`${label}: expected an id of its own, got '${maj_id}', which ${other} has already`);
      continue;
    }
    owners.set(maj_id, owner);
    const slot = { name, key, id, idm, maj_id, champ: champOf(key), colour };
    slots.set(name, [...(slots.get(name) ?? []), slot]);
  }
  return slots;
}

/**
 * The plain id belongs to `state`, or to the only value of the old page's column Data; every other key says which it is:
 * `0xaa`, `0xaa/temperature`, and for a switch with two ends `0xbb/state_l1`, `0xbb/state_l2`.
 */
function majIdOf({ id, key }: Entry, all: readonly Entry[]): string {
  const data = new Set(
    all.filter((other) => other.id === id && champOf(other.key) === 'Data').map((other) => other.key),
  );
  return key === 'state' || (data.has(key) && data.size === 1) ? id : `${id}/${key}`;
}

/** Two mappings as one: the first wins, device by device. */
export const mergeMappings = (first: Mapping, second: Mapping): Mapping => new Map([...second, ...first]);

/** The key of which a command speaks when it names none: the first that can be switched, else the first. */
export const mainSlot = (slots: readonly Slot[]): Slot | undefined =>
  slots.find(({ champ }) => champ === 'Data') ?? slots[0];

/** The slot that a person's word for a device means: its friendly name, id, id on monitor/maj or idm. */
export function findSlot(mapping: Mapping, word: string): Slot | undefined {
  const named = mapping.get(word);
  if (named) return mainSlot(named);
  const all = [...mapping.values()].flat();
  return (
    all.find(({ maj_id }) => maj_id === word) ??
    mainSlot(all.filter(({ id }) => id === word)) ??
    all.find(({ idm }) => idm === word)
  );
}
