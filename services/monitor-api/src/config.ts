// Owns monitor-api's variables.
import { flag, integer, parsed } from '@monitor-mesh/shared/config.ts';
import { HOUSE_VARIABLES } from '@monitor-mesh/shared/house.ts';
import { parseDatabaseUrl } from '@monitor-mesh/shared/store/open-store.ts';

export const MONITOR_API_VARIABLES = {
  API_LEGACY_ENABLED: flag(
    "Whether the old addresses answer; false says 'API non autorisée' as the old site did",
    true,
  ),
  HOUSE_TZ: HOUSE_VARIABLES.HOUSE_TZ,
  API_PUBLISH_TIMEOUT_MS: integer("Longest wait for the broker's answer, ms", 5_000, 100, 60_000),
  SMS_REPEAT_WINDOW_S: integer('Seconds in which the same envoi_sms text is one SMS; 0 sends each', 60, 0, 86_400),
  API_DATABASE_URL: parsed(
    'Database that history is read from, when it is not DATABASE_URL; none where no other process may read it',
    '',
    'sqlite:PATH, mysql://… or none',
    (text) => (text === '' || text === 'none' ? text : parseDatabaseUrl(text)),
    { secret: true },
  ),
  DATABASE_URL: parsed(
    'Where the house is remembered',
    'sqlite:data/monitor.sqlite',
    'sqlite:PATH or mysql://…',
    parseDatabaseUrl,
    { secret: true },
  ),
} as const;
