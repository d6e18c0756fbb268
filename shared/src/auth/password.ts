// Owns how secrets are kept: scrypt for what people choose, SHA-256 for random tokens.
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** scrypt cost (RFC 7914): 32 MiB and about a tenth of a second on a small box; stored beside each hash. */
const COST = { N: 32_768, r: 8, p: 1 } as const;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const MEMORY_FACTOR = 256;
/** A damaged file must not ask for more than this: 1 GiB. */
const COST_MAX: Cost = { N: 2 ** 20, r: 8, p: 16 };

export const PASSWORD_LENGTH_MIN = 8;
export const PASSWORD_LENGTH_MAX = 256;

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

const derive = (password: string, salt: Buffer, cost: Cost): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: MEMORY_FACTOR * cost.N * cost.r };
    scrypt(password.normalize('NFC'), salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });

/** `scrypt$N$r$p$salt$key`, salt and key in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

const isWithin = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max;
/** N is a power of two above 1 (RFC 7914 §2). */
const isCost = ({ N, r, p }: Cost): boolean =>
  isWithin(N, COST_MAX.N) && N > 1 && (N & (N - 1)) === 0 && isWithin(r, COST_MAX.r) && isWithin(p, COST_MAX.p);

/** Whether a password belongs to a hash of `hashPassword`; any other text belongs to none. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const [scheme, N, r, p, salt = '', key = ''] = hash.split('$');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  if (scheme !== 'scrypt' || !isCost(cost)) return false;
  const wanted = Buffer.from(key, 'base64url');
  const got = await derive(password, Buffer.from(salt, 'base64url'), cost);
  return wanted.length === got.length && timingSafeEqual(wanted, got);
}

/** A random secret of 192 bits that needs no slow hash: `prefix` + base64url. */
export const randomSecret = (prefix = ''): string => `${prefix}${randomBytes(24).toString('base64url')}`;

/** A password that a person can read and type: letters and digits without the ones that look alike, 96 bits. */
export function randomPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
  return [...randomBytes(20)]
    .map((byte) => letters[byte % letters.length])
    .join('')
    .replace(/(.{5})(?=.)/gu, '$1-');
}

/** What is stored of a random secret, in base64url. */
export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

/** Whether a secret belongs to a digest, in constant time. */
export function matchesDigest(secret: string, digest: string): boolean {
  const wanted = Buffer.from(digest);
  const got = Buffer.from(digestOf(secret));
  return wanted.length === got.length && timingSafeEqual(wanted, got);
}
