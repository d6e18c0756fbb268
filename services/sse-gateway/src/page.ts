// Owns the plain page at `/`: three files, the script's types stripped once at start.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import type { FastifyInstance } from 'fastify';

const folder = new URL('../page/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

/** Adds `/`, `/page.css` and `/page.js`; they hold nothing of the house, so that the login can be seen without one. */
export function addPage(app: FastifyInstance, language: string): void {
  const files = [
    { path: '/', type: 'text/html; charset=utf-8', body: read('index.html').replace('<html lang="fr">', `<html lang="${language}">`) },
    { path: '/page.css', type: 'text/css; charset=utf-8', body: read('page.css') },
    { path: '/page.js', type: 'text/javascript; charset=utf-8', body: stripTypeScriptTypes(read('page.ts')) },
  ];
  for (const { path, type, body } of files)
    app.get(path, { config: { access: { kind: 'public' } }, schema: { hide: true } as object }, (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(body));
}
