// Owns message identity: the `mid` that every "only once" of the mesh is keyed by.
import { createHash, randomUUIDv7 } from 'node:crypto';

/** Name of the MQTT 5 user property, the HTTP answer's field and the SQL column. */
export const MID_PROPERTY = 'mid';

const MID = /^[A-Za-z0-9_.:-]{1,64}$/u;

/** A new `mid`: a UUIDv7 (RFC 9562), so that ids sort by time. */
export const newMid = (): string => randomUUIDv7();

const DERIVED_LENGTH = 32;
/**
 * The identity of a message that follows from another: the same for the same source and part, so that a source which
 * is delivered twice has one consequence.
 *
 * @param part which of the consequences, such as the id of a device
 */
export const derivedMid = (source: string, part: string): string =>
  createHash('sha256').update(`${source}\n${part}`).digest('base64url').slice(0, DERIVED_LENGTH);

/** Whether a text that somebody else chose (an Idempotency-Key, a client's user property) may serve as a `mid`. */
export const isMid = (text: string): boolean => MID.test(text);
export const MID_EXPECTED = '1 to 64 of the characters A-Z a-z 0-9 _ . : -';
