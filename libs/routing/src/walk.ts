import { Purse } from './credentials.ts';
import type { Gathering } from './gathering.ts';
import type { Ranked } from './lazy-order.ts';
import { unmetNeed } from './need.ts';
import { upstreamOf, viewOf, type Lane, type Search } from './search.ts';
import type { Part } from './snapshot-index.ts';
import { demotionOf, isOut } from './standing.ts';
import { contender, inOrder } from './strategies.ts';

/** What comes after everything else of the model: deployments in doubt, or those credentials of one that are. */
type Behind = { lane: Lane } & ({ contenders: Ranked<Part>[] } | { part: Part; purse: Purse });

/**
 * Goes through the lanes of one public model until the gathering is full. Whatever is in doubt waits until all else of the model
 * had its turn. Needs are checked when a deployment's turn comes, so that those that are never reached cost nothing.
 */
export function walk(search: Search, lanes: readonly Lane[], gathering: Gathering): void {
  const behind: Behind[] = [];
  for (const lane of lanes) {
    for (const segment of withCanaryFirst(lane)) {
      if (gathering.isFull) return;
      const { ready, doubtful } = standingOf(search, lane, segment);
      if (doubtful.length > 0) behind.push({ lane, contenders: doubtful });
      visit(search, lane, ready, gathering, behind);
    }
  }
  for (const late of behind) {
    if (gathering.isFull) return;
    if ('contenders' in late) visit(search, late.lane, late.contenders, gathering, null);
    else addDoubtful(late.lane, late.part, late.purse, gathering);
  }
}

/** @param behind where credentials in doubt are left for later; null: it is later already. */
function visit(search: Search, lane: Lane, contenders: Ranked<Part>[], gathering: Gathering, behind: Behind[] | null): void {
  const order = inOrder(lane, contenders);
  while (!gathering.isFull) {
    const part = order.take();
    if (part === undefined) return;
    if (!isSuitable(search, lane, part)) continue;
    const purse = new Purse(search, part.pool, lane.isSticky);
    const hasReady = purse.count(1) > 0;
    if ((!hasReady && purse.doubtful().length === 0) || !gathering.open(part, lane)) continue;
    if (hasReady) gathering.add({ lane, part, purse });
    if (behind === null) addDoubtful(lane, part, purse, gathering);
    else behind.push({ lane, part, purse });
  }
}

function addDoubtful(lane: Lane, part: Part, purse: Purse, gathering: Gathering): void {
  const doubtful = purse.doubtful();
  let taken = 0;
  if (doubtful.length > 0) gathering.add({ lane, part, purse: { count: (most) => Math.min(doubtful.length, most), take: () => doubtful[taken++] ?? null } });
}

const isSuitable = (search: Search, lane: Lane, part: Part): boolean => lane.isChecked || unmetNeed(search.need, part, upstreamOf(part, lane), lane.choosing) === null;

function withCanaryFirst({ segments, canary }: Lane): readonly (readonly Part[])[] {
  return canary === null ? segments : [[canary], ...segments.map((segment) => (segment.includes(canary) ? segment.filter((part) => part !== canary) : segment))];
}

function standingOf(search: Search, lane: Lane, segment: readonly Part[]): { ready: Ranked<Part>[]; doubtful: Ranked<Part>[] } {
  // Two that are compared must both be able to serve; elsewhere the order of those that are does not depend on the others.
  const isCompared = lane.indexed.strategy === 'least_latency';
  const ready: Ranked<Part>[] = [];
  const doubtful: Ranked<Part>[] = [];
  for (const part of segment) {
    if (isOut(search, part) || (isCompared && !isSuitable(search, lane, part))) continue;
    const view = viewOf(search, part);
    (demotionOf(search, part, view) === null ? ready : doubtful).push(contender(search, lane, part, view));
  }
  return { ready, doubtful };
}
