// Owns docs/asyncapi.json: the contract as AsyncAPI 3.0.
import { SERVICES, TOPICS, type TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import { z } from 'zod';

type Json = Readonly<Record<string, unknown>>;

const parametersOf = (pattern: string): Json =>
  Object.fromEntries(
    [...pattern.matchAll(/\{(\w+)\}/gu)].map((match) => [match[1], { description: `${match[1]}, percent-encoded` }]),
  );

function channel(topic: TopicDefinition): Json {
  const parameters = parametersOf(topic.pattern);
  return {
    address: topic.pattern.replace(/\/#$/u, '/{rest}'),
    description: topic.summary,
    ...(topic.pattern.endsWith('/#') ? { parameters: { rest: { description: 'any further levels' } } } : {}),
    ...(Object.keys(parameters).length > 0 ? { parameters } : {}),
    messages: {
      message: {
        contentType: topic.format === 'text' ? 'text/plain' : 'application/json',
        payload: z.toJSONSchema(topic.schema, { io: 'input', unrepresentable: 'any' }),
        examples: [{ payload: topic.example }],
      },
    },
  };
}

function operations(key: string, topic: TopicDefinition): readonly (readonly [string, Json])[] {
  const reference = {
    channel: { $ref: `#/channels/${key}` },
    messages: [{ $ref: `#/channels/${key}/messages/message` }],
  };
  const bindings = {
    bindings: {
      mqtt: {
        qos: topic.qos,
        retain: topic.retain,
        ...(topic.max_age_s === undefined ? {} : { messageExpiryInterval: topic.max_age_s }),
      },
    },
  };
  const isService = (party: string): boolean => (SERVICES as readonly string[]).includes(party);
  return [
    ...topic.from
      .filter(isService)
      .map(
        (party) =>
          [
            `${party} sends ${key}`,
            { action: 'send', title: `${party} publishes`, ...reference, ...bindings },
          ] as const,
      ),
    ...topic.to.filter(isService).map(
      (party) =>
        [
          `${party} receives ${key}`,
          {
            action: 'receive',
            title: `${party} consumes${(topic.durable as readonly string[]).includes(party) ? ' durably' : ''}`,
            ...reference,
          },
        ] as const,
    ),
  ].map(([name, operation]) => [name.replaceAll(/[ -]/gu, '_'), operation] as const);
}

export function asyncApi(version: string): string {
  const topics = Object.entries(TOPICS) as readonly (readonly [string, TopicDefinition])[];
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'monitor-mesh',
      version,
      description: 'Every topic of the mesh, who publishes it and who consumes it.',
    },
    defaultContentType: 'application/json',
    servers: { broker: { host: '127.0.0.1:1883', protocol: 'mqtt', protocolVersion: '5' } },
    channels: Object.fromEntries(topics.map(([key, topic]) => [key, channel(topic)])),
    operations: Object.fromEntries(topics.flatMap(([key, topic]) => operations(key, topic))),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
