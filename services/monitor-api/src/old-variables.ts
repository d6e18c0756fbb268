// Owns the variables of the house as pages of the old site read them: text, picture and place of each. Pure.
import type { Dispositif, TextImage } from '@monitor-mesh/shared/store/store.ts';
import { isVariable, reportingId, type States } from './old-plan.ts';

export interface OldMessage {
  readonly name: string;
  readonly text: string;
  readonly unread: boolean;
}

export interface VariablesInput {
  readonly rows: readonly Dispositif[];
  readonly images: readonly TextImage[];
  readonly states: States;
  readonly messages: readonly OldMessage[];
}

/** What an element shows when it shows no picture. */
const NO_IMAGE = 'pas image';
/** What a variable holds that has nothing to say. */
const NOTHING = '0';
/** Type of a text in Domoticz. */
const TEXT_TYPE = '2';

/** What a value says: the picture's key, the text to show, and what came after a `#`. */
function readValue(value: string): { readonly key: string; readonly shown: string; readonly contenu: string } {
  const [key = '', ...rest] = value.split('#');
  const [, ...after] = key.split(':');
  return { key, shown: after.length > 0 ? after.join(':') : key, contenu: rest.join('#') };
}

/** `app=services`: variables by their place in the list, from 1 on, then the household's messages. */
export function variablesOf({ rows, images, states, messages }: VariablesInput): Readonly<Record<string, object>> {
  const pictures = new Map(images.map((image) => [image.texte, image]));
  const entries = [
    ...rows.filter((row) => isVariable(row) && row.Actif !== '0').map((row) => entryOf(row, states, pictures)),
    ...messages.map(messageOf),
  ];
  return { 0: { interval_maj: '0' }, ...Object.fromEntries(entries.map((entry, index) => [String(index + 1), entry])) };
}

function entryOf(row: Dispositif, states: States, pictures: ReadonlyMap<string, TextImage>): object {
  const value = row.Actif === '5' ? row.param : (states.get(reportingId(row))?.state ?? NOTHING);
  const { key, shown, contenu } = readValue(value);
  const picture = pictures.get(key);
  const isShown =
    row.id1_html !== '' && row.id1_html !== '#' && picture !== undefined && !/^(?:none)?$/u.test(picture.image);
  return {
    idx: row.idx ?? '',
    idm: row.idm ?? '',
    ID: row.ID,
    Type: row.Actif === '3' ? 'HA' : TEXT_TYPE,
    actif: row.Actif,
    Name: row.nom_objet,
    Value: shown,
    contenu,
    ID_img: row.id1_html,
    image: isShown ? picture.image : NO_IMAGE,
    icone: picture?.icone ?? '',
    ID_txt: row.id2_html,
    exist_id: 'oui',
  };
}

/** A message that was read leaves its element, which has the message's name, empty. */
const messageOf = ({ name, text, unread }: OldMessage): object => ({
  idx: '',
  idm: '',
  ID: '',
  Type: '',
  actif: '',
  Name: name,
  Value: 'msg',
  contenu: unread ? text : '',
  ID_img: '',
  image: NO_IMAGE,
  icone: '',
  ID_txt: name,
  exist_id: 'oui',
});
