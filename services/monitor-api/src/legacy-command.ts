// Owns the meaning of the old `json.php` calls: query in, decision out. Pure.
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { type Change, type Decoded, decodeChanges, schemaFault } from '@monitor-mesh/shared/decode.ts';

/** What an old call asks for. */
export type LegacyCommand =
  | { readonly app: 'maj'; readonly change: Change }
  | { readonly app: 'messages'; readonly name: string; readonly text: string; readonly unread: boolean }
  | { readonly app: 'envoi_sms'; readonly text: string }
  | { readonly app: 'api_rest_ha' }
  | { readonly app: 'unknown' };

export type LegacyParameters = Readonly<Record<string, unknown>>;

const MESSAGE_MAX = 16_384;
/** Ten parts of a GSM 7-bit message. */
const SMS_MAX = 1_530;

const textOf = (parameters: LegacyParameters, name: string): string => {
  const value = parameters[name];
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string'
    ? first
    : typeof first === 'number' || typeof first === 'boolean'
      ? String(first)
      : '';
};

const fault = (reason: string): { readonly ok: false; readonly reason: string } => ({ ok: false, reason });
const right = (command: LegacyCommand): Decoded<LegacyCommand> => ({ ok: true, value: command });

/** Why a text can't be the name of a message, or `undefined` when it can. */
export function messageNameFault(name: string): string | undefined {
  const { error } = TOPICS.message.schema.shape.name.safeParse(name);
  return error && `name: ${schemaFault(error, name)}`;
}

/** Decides what the parameters of an old call mean. */
export function decideLegacyCommand(parameters: LegacyParameters): Decoded<LegacyCommand> {
  switch (textOf(parameters, 'app')) {
    case 'maj':
      return decideMaj(parameters);
    case 'messages':
      return decideMessage(parameters);
    case 'envoi_sms':
      return decideSms(parameters);
    case 'api_rest_ha':
      return right({ app: 'api_rest_ha' });
    default:
      return right({ app: 'unknown' });
  }
}

function decideMaj(parameters: LegacyParameters): Decoded<LegacyCommand> {
  const id = textOf(parameters, 'id').trim();
  const state = textOf(parameters, 'state');
  if (id === '') return fault("id: expected the device's idx or id, got ''");
  if (state.trim() === '') return fault("state: expected a state such as On, got ''");
  const decoded = decodeChanges(Buffer.from(JSON.stringify({ id, state })));
  const change = decoded.ok ? decoded.value[0] : undefined;
  return change ? right({ app: 'maj', change }) : fault(decoded.ok ? 'expected one change' : decoded.reason);
}

/** `command`, or the first digit of `maj` (Home Assistant's lines say `maj=1=0`); a text alone means a new message. */
function decideMessage(parameters: LegacyParameters): Decoded<LegacyCommand> {
  const name = textOf(parameters, 'name').trim();
  const text = textOf(parameters, 'contenu');
  const flag = (textOf(parameters, 'command') || textOf(parameters, 'maj')).trim();
  const nameFault = messageNameFault(name);
  if (nameFault !== undefined) return fault(nameFault);
  if (text.length > MESSAGE_MAX)
    return fault(`contenu: expected at most ${MESSAGE_MAX} characters, got ${text.length}`);
  if (flag === '') return right({ app: 'messages', name, text, unread: text !== '' });
  const digit = flag[0];
  if (digit !== '0' && digit !== '1') return fault(`command: expected 0 or 1, got '${flag.slice(0, 20)}'`);
  return right({ app: 'messages', name, text, unread: digit === '1' });
}

function decideSms(parameters: LegacyParameters): Decoded<LegacyCommand> {
  const text = textOf(parameters, 'contenu');
  if (text.trim() === '') return fault("contenu: expected the text of the SMS, got ''");
  if (text.length > SMS_MAX) return fault(`contenu: expected at most ${SMS_MAX} characters, got ${text.length}`);
  return right({ app: 'envoi_sms', text });
}
