// Owns docs/configuration.md and .env.example: every variable, from the schemas that read them.
import { BROKER_ALONE_VARIABLES } from '@monitor-mesh/broker/run-broker.ts';
import { embeddedVariables } from '@monitor-mesh/embedded/config.ts';
import { EMBEDDED_SERVICES } from '@monitor-mesh/embedded/embedded.ts';
import { port, text, type Variable, type Variables } from '@monitor-mesh/shared/config.ts';
import { ALONE_VARIABLES } from '@monitor-mesh/shared/run-service.ts';

/** What docker-compose.yml reads besides: they never reach a process. */
const COMPOSE_VARIABLES: Variables = {
  HTTPS_PORT: port('Port of HTTPS on this machine', 8443),
  SITE_NAME: text('Public name that leads to this machine; Caddy fetches a certificate for it', 'localhost'),
  MESH_NET: text("First three numbers of the services' own network, for when it is taken", '172.31.250'),
};

const cell = (text: string): string => text.replaceAll('|', '\\|');

function row(name: string, { description, expected, fallback, secret }: Variable<unknown>): string {
  return `| \`${name}\` | ${cell(description)} | ${cell(expected)} | ${fallback === undefined ? 'must be given' : fallback === '' ? 'empty' : `\`${cell(fallback)}\``} | ${secret ? 'yes' : ''} |`;
}

function table(variables: Variables): string {
  const rows = Object.entries(variables).map(([name, variable]) => row(name, variable));
  return ['| variable | meaning | expected | default | secret |', '|---|---|---|---|---|', ...rows].join('\n');
}

const EMBEDDED = embeddedVariables(EMBEDDED_SERVICES);
const beyondEmbedded = (variables: Variables): Variables =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !Object.hasOwn(EMBEDDED, name)));

export function configurationPage(): string {
  return `<!-- Made by \`make docs\` from the variables' schemas. Do not edit. -->

# Configuration

Everything is set by environment variables. Each of them may also be given as \`NAME_FILE\`, the path of a file that holds
the value; byte order marks and carriage returns in it do no harm. At start every fault is reported at once (exit code
78), then a table is printed in which secrets are masked.

## The embedded mesh

\`make start\` and \`npm start\`. \`DATABASE_URL\` follows \`DATA_DIR\`: SQLite lives in that folder unless a database is named.

${table(EMBEDDED)}

## The broker alone

The same, and:

${table(beyondEmbedded(BROKER_ALONE_VARIABLES))}

## A service alone

\`node services/NAME/src/main.ts\`. Its own variables as above, and:

${table(beyondEmbedded(ALONE_VARIABLES))}

## Containers

docker-compose.yml takes these from \`.env\`; addresses inside the containers are its own affair, \`HTTP_HOST\`, \`HTTP_PORT\`,
\`MQTT_HOST\`, \`MQTT_PORT\` and \`MQTT_WS_PORT\` are where this machine offers them. Besides:

${table(COMPOSE_VARIABLES)}
`;
}

export function envExample(): string {
  return `# Every variable with its default; copy to .env and uncomment what differs. Made by \`make docs\`.
${Object.entries({ ...EMBEDDED, ...COMPOSE_VARIABLES })
  .map(([name, { description, fallback }]) => `\n# ${description}\n#${name}=${fallback ?? ''}`)
  .join('\n')}
`;
}
