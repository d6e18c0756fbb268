// Owns what an error of MariaDB or of the way to it means to the mesh: which MeshError, and whether a retry can help.
import { MeshError, reasonOf } from '../../errors.ts';

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
}

const UNAVAILABLE: Meaning = { code: 'store_unavailable', retryable: true };
const LOCKED: Meaning = { code: 'store_locked', retryable: true };
const FULL: Meaning = { code: 'store_full', retryable: true };
/** A server is read-only for a while (a backup, a replica); it is worth asking again. */
const READONLY: Meaning = { code: 'store_readonly', retryable: true };
/** Wrong user, password, database or rights: somebody has to act, and what waits goes on when they have. */
const DENIED: Meaning = { code: 'store_denied', retryable: true };
const DAMAGED: Meaning = { code: 'store_damaged', retryable: false };
/** The rows themselves cannot be stored: the same rows will be refused again. */
const REFUSED: Meaning = { code: 'store_refused', retryable: false };
const FAILED: Meaning = { code: 'store_failed', retryable: false };

/** Error numbers of the server (mariadb.com/docs, "MariaDB Error Codes"). */
const MEANING_OF_NUMBER: ReadonlyMap<number, Meaning> = new Map([
  [1021, FULL], // ER_DISK_FULL
  [1026, FULL], // ER_ERROR_ON_WRITE
  [1030, UNAVAILABLE], // ER_GET_ERRNO: the storage engine failed
  [1034, DAMAGED], // ER_NOT_KEYFILE
  [1036, READONLY], // ER_OPEN_AS_READONLY
  [1037, UNAVAILABLE], // ER_OUTOFMEMORY
  [1040, UNAVAILABLE], // ER_CON_COUNT_ERROR
  [1044, DENIED], // ER_DBACCESS_DENIED_ERROR
  [1045, DENIED], // ER_ACCESS_DENIED_ERROR
  [1048, REFUSED], // ER_BAD_NULL_ERROR
  [1049, DENIED], // ER_BAD_DB_ERROR
  [1053, UNAVAILABLE], // ER_SERVER_SHUTDOWN
  [1054, REFUSED], // ER_BAD_FIELD_ERROR: a column of a measurement table
  [1062, LOCKED], // ER_DUP_ENTRY: another connection wrote the same message first; the next look at the inbox sees it
  [1114, FULL], // ER_RECORD_FILE_FULL
  [1129, UNAVAILABLE], // ER_HOST_IS_BLOCKED
  [1130, DENIED], // ER_HOST_NOT_PRIVILEGED
  [1142, DENIED], // ER_TABLEACCESS_DENIED_ERROR
  [1143, DENIED], // ER_COLUMNACCESS_DENIED_ERROR
  [1146, REFUSED], // ER_NO_SUCH_TABLE: a measurement table
  [1153, REFUSED], // ER_NET_PACKET_TOO_LARGE
  [1205, LOCKED], // ER_LOCK_WAIT_TIMEOUT
  [1213, LOCKED], // ER_LOCK_DEADLOCK
  [1227, DENIED], // ER_SPECIFIC_ACCESS_DENIED_ERROR
  [1264, REFUSED], // ER_WARN_DATA_OUT_OF_RANGE
  [1265, REFUSED], // WARN_DATA_TRUNCATED
  [1290, READONLY], // ER_OPTION_PREVENTS_STATEMENT
  [1292, REFUSED], // ER_TRUNCATED_WRONG_VALUE
  [1317, UNAVAILABLE], // ER_QUERY_INTERRUPTED
  [1366, REFUSED], // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
  [1406, REFUSED], // ER_DATA_TOO_LONG
  [1698, DENIED], // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  [1712, DAMAGED], // ER_INDEX_CORRUPT
  [1792, READONLY], // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  [1836, READONLY], // ER_READ_ONLY_MODE
  [1927, UNAVAILABLE], // ER_CONNECTION_KILLED
  [1969, UNAVAILABLE], // ER_STATEMENT_TIMEOUT
  [4151, REFUSED], // ER_JSON_TABLE_ERROR_ON_FIELD
  [4174, REFUSED], // ER_JSON_TABLE_ERROR_ON_FIELD of older servers
]);

interface DriverError extends Error {
  readonly errno?: number;
  readonly fatal?: boolean;
}

/** The connection cannot be used any longer: the network's own errors carry no number of the server. */
export const isGone = (error: unknown): boolean => {
  if (!(error instanceof Error) || error instanceof MeshError) return false;
  const { errno, fatal } = error as DriverError;
  if (fatal === true || errno === 1053 || errno === 1927) return true;
  return 'code' in error && (errno === undefined || errno < 1000);
};

/**
 * Anything thrown while the database was used, as a MeshError. `where` is host, port and database: never the password.
 * `store_failed` is a mistake in this program.
 */
export function faultOf(error: unknown, where: string): MeshError {
  if (error instanceof MeshError) return error;
  const { code, retryable } = meaningOf(error);
  return new MeshError(code, `database ${where}: ${reasonOf(error) || codeOfDriver(error)}`, {
    retryable,
    cause: error,
  });
}

function meaningOf(error: unknown): Meaning {
  if (!(error instanceof Error)) return FAILED;
  const { errno, fatal } = error as DriverError;
  if (errno !== undefined && errno >= 1000) return MEANING_OF_NUMBER.get(errno) ?? FAILED;
  // Codes of the network (ECONNREFUSED, ENOTFOUND) and of the driver (PROTOCOL_CONNECTION_LOST) mean no database.
  return fatal === true || 'code' in error ? UNAVAILABLE : FAILED;
}

/** A refused connection to several addresses comes without a text. */
const codeOfDriver = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
