// Owns logging: JSON lines on standard error, with secrets and personal data masked before they are written.
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Fields that are never written, wherever they stand in a log line. */
const SECRET_FIELDS = new Set([
  'password',
  'token',
  'secret',
  'cookie',
  'authorization',
  'pin',
  'code_entered',
  'text',
  'contenu',
]);
const PHONE_FIELDS = new Set(['from', 'to']);
/** Eight digits or more in one run, blanks and dots between them allowed; not an IPv4 address, not part of a word or an instant. */
const PHONE = /(?<!\w|\w[.-]|\d:)(?!\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d))\+?\d[\d .]{6,18}\d(?!\w|-\w|:\d)/gu;
/** API tokens of this mesh, and whatever follows `Bearer` or `Basic`. */
const TOKEN = /\bmm_[\w-]{8,}|(?<=\b(?:Bearer|Basic) )[^\s'"]+/giu;
/** Objects within objects that are looked into. */
const DEPTH_MAX = 6;

/** A phone number with only its last two digits left: `+33 6 39 98 00 01` → `…01`. */
export const maskPhone = (number: string): string => `…${number.replace(/\D/gu, '').slice(-2)}`;
/** A meter number with only its last four digits left. */
export const maskMeter = (number: string): string => `…${number.slice(-4)}`;
/** Text with everything that looks like a phone number masked. */
export const maskPhones = (text: string): string => text.replace(PHONE, maskPhone);

const maskText = (text: string): string => maskPhones(text.replace(TOKEN, '[masked]'));

const errorFields = (error: Error): Record<string, unknown> => ({
  ...error,
  type: error.name,
  message: error.message,
  stack: error.stack,
  ...(error.cause === undefined ? {} : { cause: error.cause }),
});

/** A value as a line may hold it; `field` is the name that it stands under. */
function masked(value: unknown, field: string, depth = 0): unknown {
  if (SECRET_FIELDS.has(field) && value !== undefined) return '[masked]';
  if (typeof value === 'string')
    return PHONE_FIELDS.has(field) ? maskPhone(value) : field === 'meter' ? maskMeter(value) : maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (depth >= DEPTH_MAX) return '[deep]';
  if (Array.isArray(value)) return value.map((entry) => masked(entry, field, depth + 1));
  if (value instanceof Date) return value;
  return maskedFields(value instanceof Error ? errorFields(value) : value, depth + 1);
}

/** Requests and replies are left to the HTTP server's own serializers. */
const maskedFields = (object: object, depth = 0): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(object).map(([field, value]) => [
      field,
      field === 'req' || field === 'res' ? value : masked(value, field, depth),
    ]),
  );

/** What a child logger adds to each line passes by the formatter; errors in a line are fields by then. */
const SERIALIZERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  ...Object.fromEntries(
    [...SECRET_FIELDS, ...PHONE_FIELDS, 'meter', 'topic', 'reason'].map((field) => [
      field,
      (value: unknown) => masked(value, field),
    ]),
  ),
  err: (value) => value,
};

/**
 * A logger. `error`: a human must act; `warn`: degraded and healing itself; `info`: a state changed; `debug`: per message.
 *
 * @param destination where lines go; standard error by default
 */
export function createLog(name: string, level: string, destination?: DestinationStream): Log {
  return pino(
    {
      name,
      level,
      base: { name },
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => maskedFields(fields),
      },
      serializers: SERIALIZERS,
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
