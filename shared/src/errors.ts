// Owns the shape of operating faults: a stable code, whether a retry can help, and the cause.

/** An operating fault. Decisions are made on `code` and `retryable`, never on the message's text. */
export class MeshError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  /** @param code stable, snake_case, never reused for another meaning */
  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** The message of anything that was thrown. */
export const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** The system's code of an error (`EADDRINUSE`, `ENOENT`), if it has one. */
export const codeOf = (thrown: unknown): string | undefined =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
