// Owns what the two sides of a database thread say to each other. Everything here survives a structured clone.
import { MeshError } from '../../errors.ts';
import type {
  ApplyResult,
  Delivery,
  DeviceEvent,
  Dispositif,
  EventQuery,
  MeasurementTable,
  StoredMessage,
  TextImage,
} from '../store.ts';

export interface OpenRequest {
  readonly role: 'writer' | 'reader';
  /** Absolute. */
  readonly path: string;
  readonly busy_timeout_ms: number;
  /** Folder of the `NNNN_*.sql` files. */
  readonly migrations: string;
}

/** What each command asks and what it answers. */
export interface Commands {
  readonly open: { readonly ask: OpenRequest; readonly answer: null };
  readonly apply: { readonly ask: readonly Delivery[]; readonly answer: ApplyResult };
  readonly prune_inbox: { readonly ask: number; readonly answer: number };
  readonly events: { readonly ask: EventQuery; readonly answer: readonly DeviceEvent[] };
  readonly messages: { readonly ask: null; readonly answer: readonly StoredMessage[] };
  readonly ensure_tables: { readonly ask: readonly MeasurementTable[]; readonly answer: null };
  readonly dispositifs: { readonly ask: null; readonly answer: readonly Dispositif[] };
  readonly text_images: { readonly ask: null; readonly answer: readonly TextImage[] };
  readonly ping: { readonly ask: null; readonly answer: null };
  readonly close: { readonly ask: null; readonly answer: null };
}

export type CommandName = keyof Commands;
export type Ask<Name extends CommandName> = Commands[Name]['ask'];
export type Answer<Name extends CommandName> = Commands[Name]['answer'];

export interface RequestOf<Name extends CommandName> {
  readonly id: number;
  readonly command: Name;
  readonly ask: Ask<Name>;
}
export type Request = { [Name in CommandName]: RequestOf<Name> }[CommandName];

/** A MeshError as plain data: a clone would lose its class and its code. */
export type Fault = Pick<MeshError, 'code' | 'message' | 'retryable' | 'cause'>;

export type Reply =
  | { readonly id: number; readonly answer: Answer<CommandName> }
  | { readonly id: number; readonly fault: Fault };

export const faultData = ({ code, message, retryable, cause }: MeshError): Fault => ({
  code,
  message,
  retryable,
  cause,
});

export const meshErrorOf = ({ code, message, retryable, cause }: Fault): MeshError =>
  new MeshError(code, message, { retryable, cause });
