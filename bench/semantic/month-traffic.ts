import { indexOfSum, normal, randomFrom } from './month-random.ts';
import type { Topic, World } from './month-world.ts';

export const DAY_MS = 86_400_000;

export interface TrafficSettings {
  days: number;
  /** Each is a (tenant, model) with topics and popularities of its own. */
  scopes: number;
  requestsPerDay: number;
  topicsPerScope: number;
  /** Share of requests that ask a near miss of a popular question. */
  trapShare: number;
}

export interface Request {
  atMs: number;
  scope: number;
  text: number;
  /** What the provider takes for the answer, in units of an average answer. */
  cost: number;
}

/** Popularity of a topic ~ 1 / rank^ZIPF. */
const ZIPF = 1;
/** Standard deviation of a day's step of the logarithm of a topic's popularity. */
const DRIFT = 0.25;
/** This share of the topics comes up only in the course of the month. */
const NEW_TOPICS = 0.4;
/** Share of a topic's repeats that use its commonest wording. */
const COMMONEST = 0.4;

/** The requests of one month, in the order of time. The same seed gives the same month. */
export function trafficOf(world: World, seed: number, { days, scopes, requestsPerDay, topicsPerScope, trapShare }: TrafficSettings): Request[] {
  const random = randomFrom(seed * 7919 + 1);
  const requests: Request[] = [];
  for (let scope = 0; scope < scopes; scope++) {
    const topics = Array.from({ length: topicsPerScope }, () => world.topics[Math.floor(random() * world.topics.length)]).filter((topic) => topic !== undefined);
    const weights = topics.map((_, rank) => Math.log((rank + 1) ** -ZIPF));
    const firstDay = topics.map(() => (random() < NEW_TOPICS ? Math.floor(random() * days) : 0));
    for (let day = 0; day < days; day++) {
      let sum = 0;
      const sums = Float64Array.from(topics, (_, i) => (sum += (firstDay[i] ?? 0) <= day ? Math.exp(weights[i] ?? 0) : 0));
      for (let n = 0; n < requestsPerDay; n++) {
        const topic = topics[indexOfSum(sums, random() * sum)];
        if (topic === undefined) continue;
        requests.push({ atMs: (day + random()) * DAY_MS, scope, text: wordingOf(topic, trapShare, random), cost: Math.exp(0.8 * normal(random) - 0.32) });
      }
      for (const i of weights.keys()) weights[i] = (weights[i] ?? 0) + DRIFT * normal(random);
    }
  }
  return requests.sort((a, b) => a.atMs - b.atMs);
}

function wordingOf({ repeats, traps }: Topic, trapShare: number, random: () => number): number {
  const from = traps.length > 0 && random() < trapShare ? traps : repeats;
  const at = from === repeats && random() < COMMONEST ? 0 : Math.floor(random() * from.length);
  return from[at] ?? 0;
}
