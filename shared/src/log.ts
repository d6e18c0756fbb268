// Owns logging: JSON lines on standard error, with secrets and personal data masked before they are written.
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Fields that are never written, wherever they stand in a log line. */
const SECRET_FIELDS = [
  'password',
  'token',
  'secret',
  'cookie',
  'authorization',
  'pin',
  'code_entered',
  'text',
  'contenu',
];
const PHONE = /(?<![\w.:-])\+?\d[\d .]{6,18}\d(?![\w:-])/gu;

/** A phone number with only its last two digits left: `+33 6 39 98 00 01` → `…01`. */
export const maskPhone = (number: string): string => `…${number.replace(/\D/gu, '').slice(-2)}`;
/** A meter number with only its last four digits left. */
export const maskMeter = (number: string): string => `…${number.slice(-4)}`;
/** Text with everything that looks like a phone number masked. */
export const maskPhones = (text: string): string => text.replace(PHONE, maskPhone);

const SECRET_PATHS = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

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
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[masked]' },
      serializers: {
        from: (value: unknown) => (typeof value === 'string' ? maskPhone(value) : value),
        to: (value: unknown) => (typeof value === 'string' ? maskPhone(value) : value),
        meter: (value: unknown) => (typeof value === 'string' ? maskMeter(value) : value),
        reason: (value: unknown) => (typeof value === 'string' ? maskPhones(value) : value),
        topic: (value: unknown) => (typeof value === 'string' ? maskPhones(value) : value),
      },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
