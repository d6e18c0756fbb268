// Owns the setup's outer edge: variables, who owns which number, what a person reads, the exit code.
import { readFileSync } from 'node:fs';
import { ConfigError, readConfig, text } from '@monitor-mesh/shared/config.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { EXIT } from '@monitor-mesh/shared/run.ts';
import { type SetupReport, setUp } from './setup.ts';

export const SETUP_VARIABLES = {
  SETUP_VOLUMES: text('Folder under which the volumes of all containers are mounted', '/volumes'),
} as const;

interface Output {
  write(text: string): unknown;
}

/** Sets everything up; the exit code says what happened. */
export function runSetup(
  environment: Readonly<Record<string, string | undefined>>,
  out: Output,
  error: Output,
  passwd = '/etc/passwd',
): number {
  try {
    const config = readConfig(SETUP_VARIABLES, environment);
    const report = setUp({
      volumes: config.SETUP_VOLUMES,
      uids: readUids(readFileSync(passwd, 'utf8')),
    });
    out.write(textOf(report));
    return EXIT.ok;
  } catch (fault) {
    if (!(fault instanceof ConfigError || fault instanceof MeshError)) throw fault;
    error.write(`setup: ${fault.message}\n`);
    return EXIT.config;
  }
}

/** Users of this image by name: the services of the mesh run under the numbers that its passwd file gives them. */
export function readUids(passwd: string): ReadonlyMap<string, number> {
  const lines = passwd.split('\n').map((line) => line.split(':'));
  return new Map(lines.filter(({ length }) => length > 2).map(([name = '', , uid]) => [name, Number(uid)]));
}

/** Names of files and never what they hold. */
function textOf({ made, kept, mended }: SetupReport): string {
  const lines = [...made.map((name) => `setup: made ${name}`), ...mended.map((name) => `setup: mended ${name}`)];
  return `${[...lines, `setup: ${made.length} made, ${kept} kept`].join('\n')}\n`;
}
