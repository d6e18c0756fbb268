// Owns the broker's variables.
import { parseNetworks } from '@monitor-mesh/shared/auth/networks.ts';
import { choice, integer, parsed, port, text } from '@monitor-mesh/shared/config.ts';
import { HTTP_VARIABLES } from '@monitor-mesh/shared/http/variables.ts';
import { DEFAULT_LIMITS } from './limits.ts';

export const BROKER_VARIABLES = {
  MQTT_HOST: text('Address on which MQTT is offered, over TCP and WebSocket', '127.0.0.1'),
  MQTT_PORT: port('TCP port of MQTT', 1883),
  MQTT_WS_PORT: port('Port of MQTT over WebSocket', 9001),
  MQTT_OPEN_NETWORKS: parsed(
    'Networks of old devices that can not log in; they may report states and read them',
    '',
    'a comma separated list of networks',
    parseNetworks,
  ),
  ALLOWED_ORIGINS: HTTP_VARIABLES.ALLOWED_ORIGINS,
  DURABILITY: choice(
    'fsync: what the broker acknowledged survives a kill and a power cut; memory: a restart forgets it',
    'fsync',
    ['fsync', 'memory'],
  ),
  MQTT_CONNECTIONS_MAX: integer('Connections at once', DEFAULT_LIMITS.connections_max, 1, 100_000),
} as const;
