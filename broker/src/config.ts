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
  MQTT_TLS_PORT: port('TCP port of MQTT over TLS; it is opened when a certificate and its key are given', 8883),
  MQTT_TLS_CERT: text('Certificate of the TLS port, PEM with its chain', ''),
  MQTT_TLS_KEY: text('Key of that certificate, PEM', '', { secret: true }),
  MQTT_TLS_CLIENT_CA: text('Authority whose certificates clients of the TLS port must show, PEM', ''),
  MQTT_CONNECTIONS_MAX: integer('Connections at once', DEFAULT_LIMITS.connections_max, 1, 100_000),
  MQTT_CONNECTS_PER_SECOND_MAX: integer(
    'New connections of one address, per second',
    DEFAULT_LIMITS.connects_per_second_max,
    1,
    100_000,
  ),
  MQTT_KEEPALIVE_S_MAX: integer('Longest silence of a client of MQTT 5, s', DEFAULT_LIMITS.keepalive_s_max, 1, 65_535),
  MQTT_TOPIC_LEVELS_MAX: integer('Levels of a topic', DEFAULT_LIMITS.topic_levels_max, 2, 100),
  MQTT_SUBSCRIPTIONS_MAX: integer('Subscriptions of one client', DEFAULT_LIMITS.subscriptions_max, 1, 1_000_000),
  MQTT_INFLIGHT_MAX: integer('Messages that a client may leave unacknowledged', DEFAULT_LIMITS.inflight_max, 1, 65_535),
  MQTT_UNSENT_BYTES_MAX: integer(
    'Bytes that a client may leave unread before it loses QoS 0',
    DEFAULT_LIMITS.unsent_bytes_max,
    65_536,
    1_073_741_824,
  ),
  MQTT_QUEUE_MESSAGES_MAX: integer(
    "Messages that wait for a person's client; beyond it the oldest is dropped",
    DEFAULT_LIMITS.queue_messages_max,
    1,
    100_000_000,
  ),
} as const;
