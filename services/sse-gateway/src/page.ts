// Owns the plain page at `/`: three files. `page.js` is `page.ts` without its types, made by `make docs`.
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

const folder = new URL('../page/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

const escapeHtml = (text: string): string => text.replace(/[&<>"']/gu, (character) => `&#${character.charCodeAt(0)};`);

/** Adds `/`, `/page.css` and `/page.js`; they hold nothing of the house, so that the login can be seen without one. */
export function addPage(app: FastifyInstance, language: string, label: string): void {
  const files = [
    {
      path: '/',
      type: 'text/html; charset=utf-8',
      body: read('index.html')
        .replace('<html lang="fr">', `<html lang="${language}">`)
        .replace('<p id="label"></p>', () => `<p id="label">${escapeHtml(label)}</p>`),
    },
    { path: '/page.css', type: 'text/css; charset=utf-8', body: read('page.css') },
    { path: '/page.js', type: 'text/javascript; charset=utf-8', body: read('page.js') },
  ];
  for (const { path, type, body } of files)
    app.get(path, { config: { access: { kind: 'public' } }, schema: { hide: true } as object }, (_request, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(body),
    );
}
