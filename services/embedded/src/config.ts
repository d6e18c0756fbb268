// Owns the variables of the embedded mesh: one process, one data folder.
import { BROKER_VARIABLES } from '@monitor-mesh/broker/config.ts';
import { text, type Variables } from '@monitor-mesh/shared/config.ts';
import { HTTP_VARIABLES } from '@monitor-mesh/shared/http/variables.ts';
import { LOG_VARIABLES } from '@monitor-mesh/shared/run-service.ts';
import type { ServiceModule } from '@monitor-mesh/shared/service.ts';

const OWN_VARIABLES = {
  DATA_DIR: text('Folder of everything that must outlive a stop', './data'),
  ...LOG_VARIABLES,
  ...HTTP_VARIABLES,
  ...BROKER_VARIABLES,
} as const;

export type EmbeddedVariables = typeof OWN_VARIABLES;

/** The variables of the process and of each module in it. */
export function embeddedVariables(modules: readonly ServiceModule[]): EmbeddedVariables & Variables {
  return Object.assign({}, OWN_VARIABLES, ...modules.map(({ variables }) => variables));
}

/** The environment with what follows from the data folder: SQLite lives in it unless a database is named. */
export function embeddedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const folder = environment.DATA_DIR || './data';
  const named = environment.DATABASE_URL || environment.DATABASE_URL_FILE;
  return named ? environment : { ...environment, DATABASE_URL: `sqlite:${folder}/monitor.sqlite` };
}
