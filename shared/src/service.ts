// Owns what a service is: a name, its variables, and an object that starts, stops and says whether it is ready.
import type { FastifyInstance } from 'fastify';
import type { BrokerTarget } from './bus/connection.ts';
import type { ConfigOf, Variables } from './config.ts';
import type { ServiceName } from './contract.ts';
import type { Door } from './http/door.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };
export const READY: Readiness = Object.freeze({ ready: true });

/** What a process lends each of its services. */
export interface ServiceContext {
  readonly version: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly target: BrokerTarget;
  readonly now: () => number;
  readonly door: Door;
}

/** A running part of the mesh. `stop` is called once, also after a `start` that failed half way. */
export interface Service {
  /** Adds routes to the process's server, before it listens. */
  routes?(app: FastifyInstance): Promise<void> | void;
  start(): Promise<void>;
  /** Takes no new work, finishes what is under way, lets go of the outside world. */
  stop(): Promise<void>;
  readiness(): Readiness;
}

/** A service as a process takes it in: importing it has no effect. */
export interface ServiceModule<Shape extends Variables = Variables> {
  readonly name: ServiceName;
  readonly variables: Shape;
  create(context: ServiceContext, config: ConfigOf<Shape>): Service;
}

/** Ties a module's configuration to its shape; the process then holds modules of any shape. */
export const defineService = <const Shape extends Variables>(module: ServiceModule<Shape>): ServiceModule =>
  module as unknown as ServiceModule;
