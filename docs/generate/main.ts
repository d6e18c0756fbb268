// Writes the generated documents and the page's script, or with --check says which of them are stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { VERSION } from '@monitor-mesh/shared/run-service.ts';
import { asyncApi } from './asyncapi.ts';
import { configurationPage, envExample } from './configuration-page.ts';
import { topicsPage } from './topics-page.ts';

const root = new URL('../../', import.meta.url);
const documents: Readonly<Record<string, string>> = {
  'docs/topics.md': topicsPage(),
  'docs/asyncapi.json': asyncApi(VERSION),
  'docs/configuration.md': configurationPage(),
  '.env.example': envExample(),
  'services/sse-gateway/page/page.js': pageScript(),
};

/** Browsers do not strip types; doing it here costs the running mesh nothing. */
function pageScript(): string {
  const source = readFileSync(new URL('services/sse-gateway/page/page.ts', root), 'utf8');
  return `// Made by \`make docs\` from page.ts. Do not edit.\n${stripTypeScriptTypes(source).replace(/[ \t]+$/gmu, '')}`;
}

function current(path: string): string {
  try {
    return readFileSync(new URL(path, root), 'utf8');
  } catch {
    return ''; // not there yet: as stale as can be
  }
}

const stale = Object.entries(documents).filter(([path, text]) => current(path) !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) process.stderr.write(`${path} is stale: run 'make docs'\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) writeFileSync(new URL(path, root), text);
  process.stdout.write(`${stale.length} document(s) written\n`);
}
