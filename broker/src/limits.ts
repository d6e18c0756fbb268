// Owns the broker's limits, each with the reason for its value.

const KIB = 1024;
const MIB = 1024 * KIB;

export interface Limits {
  readonly first_packet_bytes_max: number;
  readonly own_publish_bytes_max: number;
  readonly other_publish_bytes_max: number;
  readonly other_packet_bytes_max: number;
  readonly packet_bytes_max: number;
  readonly unsent_bytes_max: number;
  readonly connections_max: number;
  readonly drain_timeout_ms: number;
  readonly reject_window_ms: number;
  readonly sys_interval_ms: number;
}

/** Sizes of packets are the remaining length of the fixed header: topic, properties and payload together [MQTT-2.2.3]. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  /** A stranger's first packet is held whole until its end: it must be small. 64 KiB leave room for a will. */
  first_packet_bytes_max: 64 * KIB,
  /** Nothing of the mesh is larger than some KiB; every own message is copied into the queues of the durable consumers. */
  own_publish_bytes_max: 256 * KIB,
  /** zigbee2mqtt's bridge/devices reaches megabytes in large houses, and its sender loops when it is refused. */
  other_publish_bytes_max: 16 * MIB,
  /** A SUBSCRIBE with thousands of filters fits. */
  other_packet_bytes_max: 256 * KIB,
  /** Beyond this even swallowing is a waste of the link: the connection is closed. */
  packet_bytes_max: 64 * MIB,
  /** The largest message there may be, and 8 MiB behind it. A client that lets more pile up is cut. */
  unsent_bytes_max: 24 * MIB,
  /** A house has dozens; a loop in somebody's script must not take every file descriptor. */
  connections_max: 1_000,
  /** A frozen subscriber is cut after this time; a tablet that changes its access point needs about two seconds. */
  drain_timeout_ms: 5_000,
  /** Refusals are told at once, then counted per topic for this long. */
  reject_window_ms: 60_000,
  /** mosquitto's default for its $SYS topics. */
  sys_interval_ms: 10_000,
});
