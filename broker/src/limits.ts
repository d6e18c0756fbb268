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
  readonly connects_per_second_max: number;
  readonly keepalive_s_max: number;
  readonly topic_levels_max: number;
  readonly receive_maximum: number;
  readonly inflight_max: number;
  readonly queue_messages_max: number;
  readonly queue_bytes_max: number;
  readonly memory_queue_bytes_max: number;
  readonly promised_messages_max: number;
  readonly promised_bytes_max: number;
  readonly retained_bytes_max: number;
  readonly free_disk_bytes_min: number;
  readonly subscriptions_max: number;
  readonly sessions_max: number;
  readonly drain_timeout_ms: number;
  readonly reject_window_ms: number;
  readonly sys_interval_ms: number;
  readonly disk_look_ms: number;
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
  /** The largest message there may be, and 8 MiB behind it. A client that lets more pile up loses QoS 0. */
  unsent_bytes_max: 24 * MIB,
  /** A house has dozens; a loop in somebody's script must not take every file descriptor. */
  connections_max: 1_000,
  /** One address; after a restart a whole house comes back at once, so as many as `connections_max` may come in a burst. */
  connects_per_second_max: 100,
  /** A client of MQTT 5 is told to speak once a minute, so that its last will is not late; an older one can't be told. */
  keepalive_s_max: 60,
  /** What the engine's matcher takes; no house nests deeper. */
  topic_levels_max: 100,
  /** QoS 1 and 2 that a client may leave open towards the broker: some batches of a busy disk. */
  receive_maximum: 1_024,
  /** As many as fit between two looks at a busy consumer's socket; a client of MQTT 5 may ask for fewer. */
  inflight_max: 1_000,
  /** A tablet that was away for a week must not find ten thousand doorbells; the oldest goes, counted. */
  queue_messages_max: 10_000,
  queue_bytes_max: 64 * MIB,
  /** A session without a store keeps its queue in memory. */
  memory_queue_bytes_max: 8 * MIB,
  /** Weeks of a busy house. Beyond it nothing is promised any longer: publishers are told, and the mesh is not ready. */
  promised_messages_max: 2_000_000,
  promised_bytes_max: 1024 * MIB,
  /** Retained messages are kept in memory as well: a script that invents topics must not fill it. */
  retained_bytes_max: 64 * MIB,
  /** Below it nothing is promised: the rest of the machine needs a disk as well. */
  free_disk_bytes_min: 256 * MIB,
  /** A house has dozens of clients; a script that invents client ids stops here. */
  sessions_max: 10_000,
  /** Home Assistant has hundreds. */
  subscriptions_max: 5_000,
  /** A frozen subscriber is cut after this time; a tablet that changes its access point needs about two seconds. */
  drain_timeout_ms: 5_000,
  /** Refusals are told at once, then counted per topic for this long. */
  reject_window_ms: 60_000,
  /** mosquitto's default for its $SYS topics. */
  sys_interval_ms: 10_000,
  /** How soon a full disk or queue is noticed, and its end. */
  disk_look_ms: 2_000,
});
