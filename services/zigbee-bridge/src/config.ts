// Owns zigbee-bridge's variables.
import { choice, integer, parsed } from '@monitor-mesh/shared/config.ts';
import { isOwnTopic } from '@monitor-mesh/shared/topic-index.ts';
import { readMappingFile } from './mapping-file.ts';

const BASE_EXPECTED = "levels such as zigbee2mqtt, without + and #, outside the mesh's own";

export const ZIGBEE_BRIDGE_VARIABLES = {
  ZIGBEE_BASE_TOPIC: parsed(
    'Base topic of Zigbee2MQTT, as its own settings name it',
    'zigbee2mqtt',
    BASE_EXPECTED,
    (topic) => {
      if (!/^[^+#$/\0][^+#\0]*$/u.test(topic) || topic.endsWith('/') || isOwnTopic(topic))
        throw new Error(`expected ${BASE_EXPECTED}`);
      return topic;
    },
  ),
  ZIGBEE_MAPPING_FILE: parsed(
    'JSON file that says which device of the house stands behind a friendly name; without it mesh/zigbee/devices does',
    '',
    'the path of a JSON file',
    readMappingFile,
  ),
  ZIGBEE_UNMAPPED: choice(
    'Whether a device that no mapping knows is shown under its friendly name, and takes commands',
    'on',
    ['on', 'off'],
  ),
  ZIGBEE_REPLY_TIMEOUT_MS: integer("Longest wait for a device's word after a command, ms", 5_000, 100, 14_000),
} as const;
