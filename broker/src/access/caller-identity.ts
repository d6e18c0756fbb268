// Owns who an MQTT connection from outside is: a user, a service, or nobody in a place where nobody is welcome.
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { Authenticator } from '@monitor-mesh/shared/auth/authenticator.ts';
import { anyHas, isLoopback, type Network } from '@monitor-mesh/shared/auth/networks.ts';
import type { Authenticate } from '../broker.ts';

export interface CallerPolicy {
  readonly authenticator: Authenticator;
  /** Networks of old devices that can't log in; they get the role `device`. */
  readonly open_networks: readonly Network[];
  /** Whether nobody on this very machine is the person at its keyboard. Never in a container: there everybody looks local. */
  readonly local_is_trusted: boolean;
}

const LOCAL: Identity = Object.freeze({ user: 'local', role: 'local' });
const DEVICE: Identity = Object.freeze({ user: 'open-network', role: 'device' });

/** Judges a caller by its credentials, or by its address when it sends none. A token may stand for the password. */
export function createAuthenticate({ authenticator, open_networks, local_is_trusted }: CallerPolicy): Authenticate {
  return async (username, password, { address, transport }) => {
    if (username !== undefined && username !== '') return authenticator.password(username, password ?? '', address);
    if (transport === 'ws') return { refused: 'expected a user and a password: WebSocket is never anonymous' };
    if (local_is_trusted && isLoopback(address)) return LOCAL;
    if (anyHas(open_networks, address)) return DEVICE;
    return { refused: 'expected a user and a password' };
  };
}
