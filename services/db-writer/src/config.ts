// Owns db-writer's variables.
import { integer, parsed } from '@monitor-mesh/shared/config.ts';
import { HOUSE_VARIABLES } from '@monitor-mesh/shared/house.ts';
import { parseDatabaseUrl } from '@monitor-mesh/shared/store/open-store.ts';

export const DB_WRITER_VARIABLES = {
  DATABASE_URL: parsed(
    'Where the house is remembered',
    'sqlite:data/monitor.sqlite',
    'sqlite:PATH or mysql://…',
    parseDatabaseUrl,
    { secret: true },
  ),
  INBOX_DAYS: integer('Days for which a repeated message is recognised', 30, 1, 3_650),
  HOUSE_TZ: HOUSE_VARIABLES.HOUSE_TZ,
} as const;
