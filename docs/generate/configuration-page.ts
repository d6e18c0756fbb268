// Owns docs/configuration.md and .env.example: every variable, from the schemas that read them.
import { embeddedVariables } from '@monitor-mesh/embedded/config.ts';
import { EMBEDDED_SERVICES } from '@monitor-mesh/embedded/embedded.ts';
import type { Variable } from '@monitor-mesh/shared/config.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

function row(name: string, { description, expected, fallback, secret }: Variable<unknown>): string {
  return `| \`${name}\` | ${cell(description)} | ${cell(expected)} | ${fallback === undefined ? 'must be given' : fallback === '' ? 'empty' : `\`${cell(fallback)}\``} | ${secret ? 'yes' : ''} |`;
}

const variables = (): readonly (readonly [string, Variable<unknown>])[] =>
  Object.entries(embeddedVariables(EMBEDDED_SERVICES)).map(([name, variable]) => [name, variable] as const);

export function configurationPage(): string {
  return `<!-- Made by \`make docs\` from the variables' schemas. Do not edit. -->

# Configuration

Everything is set by environment variables. Each of them may also be given as \`NAME_FILE\`, the path of a file that holds
the value; byte order marks and carriage returns in it do no harm. At start every fault is reported at once (exit code
78), then a table is printed in which secrets are masked.

\`DATABASE_URL\` follows \`DATA_DIR\` in the embedded mesh (\`make start\`): SQLite lives in that folder unless a database is named.

| variable | meaning | expected | default | secret |
|---|---|---|---|---|
${variables()
  .map(([name, variable]) => row(name, variable))
  .join('\n')}
`;
}

export function envExample(): string {
  return `# Every variable with its default; copy to .env and uncomment what differs. Made by \`make docs\`.
${variables()
  .map(([name, { description, fallback }]) => `\n# ${description}\n#${name}=${fallback ?? ''}`)
  .join('\n')}
`;
}
