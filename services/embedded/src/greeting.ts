// Owns the lines that a person reads when the mesh has started.

export interface Greeting {
  readonly http_host: string;
  readonly mqtt_host: string;
  readonly ports: { readonly http: number; readonly mqtt: number; readonly ws: number };
  readonly first_login_path: string;
  readonly demo: boolean;
}

const shownHost = (host: string): string =>
  host === '0.0.0.0' || host === '::' ? 'this-machine' : host.includes(':') ? `[${host}]` : host;

/** Addresses and the way in; never the password itself. */
export function greetingOf({ http_host, mqtt_host, ports, first_login_path, demo }: Greeting): string {
  const web = `http://${shownHost(http_host)}:${ports.http}`;
  const mqtt = shownHost(mqtt_host);
  return `
${demo ? 'monitor-mesh DEMO is ready: a simulated house, nothing here is real' : 'monitor-mesh is ready'}
  screen     ${web}/
  API        ${web}/api/docs
  MQTT       mqtt://${mqtt}:${ports.mqtt}   WebSocket ws://${mqtt}:${ports.ws}
  log in     user admin, password in ${first_login_path} (${demo ? 'DATA_DIR=demo-data make credentials' : 'make credentials'} shows it)
  stop       Ctrl-C
`;
}
