// Owns the columns of the PHP site's description of the house, in the order every store reads and writes them.
import type { Dispositif, TextImage } from './store.ts';

export const DISPOSITIF_COLUMNS = [
  'num',
  'nom_appareil',
  'nom_objet',
  'idx',
  'ID',
  'idm',
  'Actif',
  'param',
  'ls',
  'maj_js',
  'id1_html',
  'car_max_id1',
  'F',
  'id2_html',
  'coul_id1_id2_ON',
  'coul_id1_id2_OFF',
  'class_lamp',
  'coul_lamp_ON',
  'coul_lamp_OFF',
  'pass',
  'observations',
] as const satisfies readonly (keyof Dispositif)[];

export const TEXT_IMAGE_COLUMNS = ['num', 'texte', 'image', 'icone'] as const satisfies readonly (keyof TextImage)[];

type Cells = Readonly<Record<string, unknown>>;

const textOf = (cell: unknown): string => (cell === null || cell === undefined ? '' : String(cell));
const textOrNull = (cell: unknown): string | null => (cell === null || cell === undefined ? null : String(cell));

/** A row of `dispositifs` as any database or dump gives it; older tables call the column `F` `F()` and `param` `materiel`. */
export const dispositifOf = (row: Cells): Dispositif => ({
  num: Number(row.num),
  nom_appareil: textOf(row.nom_appareil),
  nom_objet: textOf(row.nom_objet),
  idx: textOrNull(row.idx),
  ID: textOf(row.ID),
  idm: textOrNull(row.idm),
  Actif: textOf(row.Actif),
  param: textOf(row.param ?? row.materiel),
  ls: textOf(row.ls),
  maj_js: textOf(row.maj_js),
  id1_html: textOf(row.id1_html),
  car_max_id1: textOf(row.car_max_id1),
  F: textOrNull(row.F ?? row['F()']),
  id2_html: textOf(row.id2_html),
  coul_id1_id2_ON: textOf(row.coul_id1_id2_ON),
  coul_id1_id2_OFF: textOf(row.coul_id1_id2_OFF),
  class_lamp: textOf(row.class_lamp),
  coul_lamp_ON: textOf(row.coul_lamp_ON),
  coul_lamp_OFF: textOf(row.coul_lamp_OFF),
  pass: textOrNull(row.pass),
  observations: textOf(row.observations),
});

export const textImageOf = (row: Cells): TextImage => ({
  num: Number(row.num),
  texte: textOf(row.texte),
  image: textOf(row.image),
  icone: textOf(row.icone),
});
