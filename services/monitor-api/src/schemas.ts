// Owns the JSON schemas of the new API: what OpenAPI shows and what the server checks.
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { z } from 'zod';

const jsonSchema = (schema: z.ZodType): object => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >;
  return rest;
};

const fault = {
  type: 'object',
  properties: { error: { type: 'string' }, message: { type: 'string' }, mid: { type: 'string' } },
  required: ['error', 'message'],
};
export const FAULTS = { 400: fault, 401: fault, 403: fault, 404: fault, 503: fault, 504: fault };

export const DEVICE = jsonSchema(TOPICS.state.schema);
export const MESSAGE = jsonSchema(TOPICS.message.schema);
export const listOf = (name: string, items: object): object => ({
  type: 'object',
  properties: { [name]: { type: 'array', items } },
  required: [name],
});

export const ACCEPTED = {
  type: 'object',
  properties: { status: { type: 'string', const: 'OK' }, mid: { type: 'string' } },
  required: ['status', 'mid'],
};

export const EVENT = {
  type: 'object',
  properties: {
    seq: { type: 'integer' },
    mid: { type: 'string' },
    id: { type: 'string' },
    state: { type: 'string' },
    at: { type: 'string', format: 'date-time' },
    received_at: { type: 'string', format: 'date-time' },
    source: { type: 'string' },
    clock: { type: 'string', const: 'wrong' },
  },
  required: ['seq', 'mid', 'id', 'state', 'at', 'received_at', 'source'],
};

export const REFUSED_CALLER = {
  type: 'object',
  properties: {
    service: { type: 'string' },
    address: { type: 'string' },
    app: { type: 'string' },
    count: { type: 'integer' },
    last_at: { type: 'string', format: 'date-time' },
  },
  required: ['service', 'address', 'app', 'count', 'last_at'],
};

export const EVENT_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    id: { type: 'string', description: 'only this device' },
    from: { type: 'string', format: 'date-time', description: 'received at or after' },
    to: { type: 'string', format: 'date-time', description: 'received before' },
    before: { type: 'integer', minimum: 1, description: 'seq of the oldest event of the page before' },
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  },
};
