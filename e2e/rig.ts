// Owns the rig of the user stories: waiting, credentials, a browser.
import type { TestContext } from 'node:test';
import type { FirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const DEADLINE_MS = 20_000;

/** Waits for a condition under a deadline; asks again each few milliseconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`expected within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const bearer = ({ token }: FirstLogin): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${token}`,
});

/** A real Chromium without a window; closed after the test. */
export async function openBrowser(t: TestContext): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-sync'],
  });
  t.after(() => browser.close());
  return browser;
}
