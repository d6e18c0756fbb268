// Owns db-writer's variables.
import { flag, integer, list, parsed } from '@monitor-mesh/shared/config.ts';
import { HOUSE_VARIABLES } from '@monitor-mesh/shared/house.ts';
import { parseDatabaseUrl } from '@monitor-mesh/shared/store/open-store.ts';
import { DEFAULT_TABLES, parseEntry } from './white-list.ts';

export const DB_WRITER_VARIABLES = {
  DATABASE_URL: parsed(
    'Where the house is remembered',
    'sqlite:data/monitor.sqlite',
    'sqlite:PATH or mysql://…',
    parseDatabaseUrl,
    { secret: true },
  ),
  DATABASE_WIDEN: flag('Whether columns of the PHP site that are too narrow are widened, after saying so', true),
  DB_RECORD_TABLES: list(
    'Tables and columns that db/record may write; a * at either end stands for any name',
    DEFAULT_TABLES,
    'TABLE:COLUMN+COLUMN',
    parseEntry,
  ),
  INBOX_DAYS: integer('Days for which a repeated message is recognised', 30, 1, 3_650),
  HOUSE_TZ: HOUSE_VARIABLES.HOUSE_TZ,
} as const;
