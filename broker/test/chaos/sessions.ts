// Owns the stored sessions of the chaos: versions, overlapping subscriptions, and how they come and go.
import type { Random } from './random.ts';
import type { SubscriberOptions } from './subscriber.ts';

type Plan = Pick<SubscriberOptions, 'name' | 'version' | 'subscriptions' | 'restless' | 'change_every' | 'cut_every'>;

export const sessionPlans = (random: Random): readonly Plan[] => [
  {
    name: 'exact-5',
    version: 5,
    subscriptions: [
      { filter: 'chaos/#', qos: 2 },
      { filter: 'keep/+/two', qos: 2 },
      { filter: 'chaos/p1/+', qos: 1 },
    ],
    restless: { filter: 'chaos/+/a', qos: 1 },
    change_every: random.between(500, 2_000),
  },
  {
    name: 'exact-4',
    version: 4,
    subscriptions: [
      { filter: '+/+/+', qos: 2 },
      { filter: 'monitor/maj', qos: 2 },
    ],
    restless: { filter: 'keep/#', qos: 0 },
    change_every: random.between(500, 2_000),
  },
  {
    name: 'wanderer-5',
    version: 5,
    subscriptions: [
      { filter: 'chaos/+/a', qos: 2 },
      { filter: 'chaos/p2/#', qos: 1 },
    ],
    cut_every: random.between(300, 3_000),
  },
  {
    name: 'wanderer-4',
    version: 4,
    subscriptions: [
      { filter: 'chaos/#', qos: 0 },
      { filter: 'chaos/+/b', qos: 1 },
      { filter: 'monitor/maj', qos: 1 },
    ],
    cut_every: random.between(300, 3_000),
  },
  { name: 'holder', version: 5, subscriptions: [{ filter: 'chaos/#', qos: 1 }] },
  { name: 'absent', version: 4, subscriptions: [{ filter: 'chaos/+/b', qos: 2 }] },
];
