// Owns the moments at which one round kills, and whom.
import type { PublisherStep } from './publisher.ts';
import type { Random } from './random.ts';
import type { SubscriberStep } from './subscriber.ts';

export interface Aim {
  /** What must have just happened, some number of times. */
  readonly step: PublisherStep | SubscriberStep | 'progress';
  readonly target: 'broker' | 'writer' | 'both' | 'publishers';
}

const STEPS = [
  'publish_written',
  'pubrec_received',
  'pubrel_written',
  'pubcomp_received',
  'publish_received',
  'pubrec_written',
  'pubrel_received',
  'pubcomp_written',
  'held',
  'progress',
  'progress',
] as const;

const OTHERS: readonly Aim[] = [
  { step: 'progress', target: 'writer' },
  { step: 'publish_received', target: 'writer' },
  { step: 'progress', target: 'both' },
  { step: 'progress', target: 'publishers' },
];

/** Every moment once, in an order of chance. */
export const aimsOf = (random: Random): Aim[] =>
  random.shuffled<Aim>([...STEPS.map((step) => ({ step, target: 'broker' as const })), ...OTHERS]);
