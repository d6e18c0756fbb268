// Owns how the command line comes to the broker: as the first user where its file can be read, else as nobody.

import { readFileSync } from 'node:fs';
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { type BrokerClient, openClient } from '@monitor-mesh/shared/bus/connection.ts';
import { cleanText } from '@monitor-mesh/shared/config.ts';
import type { Environment } from './cli.ts';

const CONNECT_MS_MAX = 5_000;

export const dataFolder = (environment: Environment): string => environment.DATA_DIR || './data';

function loginOf(environment: Environment): { readonly username: string; readonly password: string } {
  const password = environment.MQTT_PASSWORD_FILE
    ? cleanText(readFileSync(environment.MQTT_PASSWORD_FILE, 'utf8'))
    : environment.MQTT_PASSWORD;
  if (environment.MQTT_USERNAME) return { username: environment.MQTT_USERNAME, password: password ?? '' };
  const first = readFirstLogin(dataFolder(environment));
  return first ? { username: first.user, password: first.token } : { username: '', password: '' };
}

/** A connection to the broker, or an Error that says why there is none. */
export async function connectToBroker(environment: Environment): Promise<BrokerClient> {
  const url = environment.MQTT_URL || 'mqtt://127.0.0.1:1883';
  const client = openClient(
    { url, ...loginOf(environment) },
    { reconnectPeriod: 0, reconnectOnConnackError: false, connectTimeout: CONNECT_MS_MAX },
  );
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      client.end(true);
      reject(new Error(`no connection to ${url}: ${reason}`));
    };
    client.once('error', (error) => fail(error.message || 'refused'));
    client.once('close', () => fail('the connection closed'));
    client.once('connect', () => {
      client.removeAllListeners('close');
      resolve(client);
    });
  });
}
