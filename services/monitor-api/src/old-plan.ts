// Owns the floor plan as pages of the old site read it: devices by their own number, and which id is which number. Pure.
import type { Dispositif } from '@monitor-mesh/shared/store/store.ts';
import type { DeviceState } from './house-view.ts';

export type States = ReadonlyMap<string, DeviceState>;

/** One device in the shape of the old `app=devices_plan`. */
export type PlanEntry = Readonly<Record<string, string | number | readonly string[]>>;

/** Percent below which a battery is worth a look, and is low. */
const BATTERY_MEDIUM = 50;
const BATTERY_LOW = 20;
/** What the old site says of a device without a battery. */
const NO_BATTERY = 255;
const NOT_CONCERNED = 'non concerné';
/** From this number of characters on a text is never cut. */
const CUT_BELOW = 10;
const FREE_SHOWN = 3;
const SERVERS: Readonly<Record<string, string>> = { 1: 'DZ', 2: 'DZ', 3: 'HA', 4: 'IOB', 6: 'ZB' };
const VARIABLES: ReadonlySet<string> = new Set(['variable', 'var_sql']);

export const isVariable = ({ maj_js }: Dispositif): boolean => VARIABLES.has(maj_js);

/** The id under which a row's device reports: Domoticz' number, or the id of every other server; `err` when it has none. */
export function reportingId({ Actif, ID, idx }: Dispositif): string {
  const actif = Number(Actif);
  const id = actif > 2 ? ID : actif < 3 ? (idx ?? '') : '';
  return id.trim() === '' ? 'err' : id;
}

/** The second part of `hardware:key:colour mode`. */
const keyOf = ({ param }: Dispositif): string => param.split(':')[1] ?? '';

/** `app=idxidm`: which id is which number of the plan. */
export const idTable = (rows: readonly Dispositif[]): readonly object[] =>
  rows
    .filter(({ idm, maj_js }) => (idm ?? '') !== '' && maj_js !== 'variable')
    .map((row) => ({ id: reportingId(row), idm: row.idm ?? '', json: keyOf(row) || 'no_zb' }));

/** What a device last said of itself; a key of its own, such as `state_l1`, comes before the whole device. */
export function stateOf(row: Dispositif, states: States): DeviceState | undefined {
  const id = reportingId(row);
  const key = row.Actif === '6' ? keyOf(row) : '';
  const own = key === 'temperature' || key === 'humidity' || key === '' ? undefined : states.get(`${id}/${key}`);
  return own ?? states.get(id);
}

/** Cuts a text to a number of bytes, as the old site did, but never within a character. */
export function cut(text: string, limit: string): string {
  const bytes = /^\s*\d+\s*$/u.test(limit) ? Number(limit) : CUT_BELOW;
  if (bytes >= CUT_BELOW) return text;
  let room = bytes;
  let kept = '';
  for (const character of text) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return kept;
}

/** A meter's six values with `;` become its peak in kW where the row asks for it by the number 1, as older rows do. */
function shownData({ F, car_max_id1 }: Dispositif, state: string): string {
  const peak_va = Number(state.split(';')[4] || Number.NaN);
  return cut(F?.trim() === '1' && Number.isFinite(peak_va) ? String(peak_va / 1_000) : state, car_max_id1);
}

const numberOf = (states: States, id: string): number | undefined => {
  const text = states.get(id)?.state.trim() ?? '';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined;
};

export interface PlanSetting {
  readonly now_ms: number;
  /** Zone of the house. */
  readonly zone: string;
}

/** `app=devices_plan`: every device of the table with its last state, and under `0` what the page wants to know besides. */
export function planOf(
  rows: readonly Dispositif[],
  states: States,
  { now_ms, zone }: PlanSetting,
): Readonly<Record<string, object>> {
  const plan: Record<string, object> = Object.create(null);
  const devices = rows.filter((row) => (row.idm ?? '') !== '' && Object.hasOwn(SERVERS, row.Actif) && !isVariable(row));
  for (const row of devices) plan[row.idm ?? ''] = entryOf(row, states, zone);
  plan['0'] = summaryOf(rows, devices, localOf(now_ms, zone));
  return plan;
}

function entryOf(row: Dispositif, states: States, zone: string): PlanEntry {
  const id = reportingId(row);
  const state = stateOf(row, states);
  const battery = numberOf(states, `${id}/battery`);
  return {
    serveur: SERVERS[row.Actif] ?? '',
    idx: row.idx ?? '',
    deviceType: '',
    emplacement: '',
    temperature: numberOf(states, `${id}/temperature`) ?? NOT_CONCERNED,
    humidity: numberOf(states, `${id}/humidity`) ?? NOT_CONCERNED,
    bat: battery || NO_BATTERY,
    ID: row.ID,
    Data: shownData(row, state?.state ?? ''),
    notification: '',
    Name_alias: row.nom_appareil,
    device: row.nom_objet,
    attributs: '',
    Name: row.nom_objet,
    Update: state === undefined ? '' : localOf(Date.parse(state.at), zone),
    fx: row.F ?? '',
    idm: row.idm ?? '',
    param: row.param.split(':'),
    lastseen: row.ls === '1' ? 'oui' : 'non',
    maj_js: row.maj_js,
    ID1: row.id1_html,
    ID2: row.id2_html,
    coul_ON: row.coul_id1_id2_ON,
    coul_OFF: row.coul_id1_id2_OFF,
    class_lamp: row.class_lamp,
    coullamp_ON: row.coul_lamp_ON,
    coullamp_OFF: row.coul_lamp_OFF,
    type_pass: row.pass ?? '0',
    actif: row.Actif,
    values: '',
    alarm_bat: !battery ? '' : battery < BATTERY_LOW ? 'alarme_low' : battery < BATTERY_MEDIUM ? 'alarme' : '',
  };
}

function summaryOf(rows: readonly Dispositif[], devices: readonly Dispositif[], now: string): object {
  const taken = new Set(rows.map(({ idm }) => idm));
  const free: string[] = [];
  for (let idm = 1; free.length < FREE_SHOWN; idm++) if (!taken.has(String(idm))) free.push(String(idm));
  const count = (server: string): number => devices.filter(({ Actif }) => SERVERS[Actif] === server).length;
  const [nb_dz, nb_ha, nb_iob, nb_zb] = [count('DZ'), count('HA'), count('IOB'), count('ZB')];
  return {
    idm_libre: ` ${free.join(' ')}`,
    serveur_iob: nb_iob > 0,
    serveur_ha: nb_ha > 0,
    serveur_dz: nb_dz > 0,
    serveur_zb: nb_zb > 0,
    nb_iob,
    nb_ha,
    nb_dz,
    nb_zb,
    err_dz_idm: 0,
    jour: now.slice(8, 10),
    maj_date: '0',
  };
}

/** Wall clock of the house, `YYYY-MM-DD HH:MM:SS`. */
const localOf = (epochMs: number, zone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(epochMs)
    .toZonedDateTimeISO(zone)
    .toPlainDateTime()
    .toString({ smallestUnit: 'second' })
    .replace('T', ' ');
