import { hasCredentialIn, Purse } from './credentials.ts';
import type { Gathering } from './gathering.ts';
import type { Ranked } from './lazy-order.ts';
import { unmetNeed } from './need.ts';
import { upstreamOf, viewOf, type Lane, type Search } from './search.ts';
import type { Part } from './snapshot-index.ts';
import { demotionOf, isLastResort, isOut } from './standing.ts';
import { contender, inOrder } from './strategies.ts';

/** What comes after others: deployments, or some of the credentials of one. */
type Later = { lane: Lane } & ({ contenders: Ranked<Part>[] } | { part: Part; purse: Purse });

/** What is out for failures, of all models of a plan: of those that this gateway has doubts about itself, apart. */
export class LastResorts {
  readonly found: Later[] = [];
  readonly inDoubt: Later[] = [];
}

/**
 * Goes through the lanes of one public model until the gathering is full. Whatever is in doubt waits until all else of the model
 * had its turn, and what is out for failures until `walkLast`. Needs are checked when a deployment's turn comes, so that those that
 * are never reached cost nothing.
 */
export function walk(search: Search, lanes: readonly Lane[], gathering: Gathering, lastResorts: LastResorts): void {
  const behind: Later[] = [];
  for (const lane of lanes) {
    for (const segment of withCanaryFirst(search, lane)) {
      if (gathering.isFull) return;
      const { ready, doubtful } = standingOf(search, lane, segment, lastResorts);
      if (doubtful.length > 0) behind.push({ lane, contenders: doubtful });
      visit(search, lane, ready, gathering, behind, lastResorts);
    }
  }
  for (const late of behind) {
    if (gathering.isFull) return;
    if ('contenders' in late) visit(search, late.lane, late.contenders, gathering, null, lastResorts);
    else addDoubtful(late.lane, late.part, late.purse, gathering);
  }
}

/** After all models: what may have become well again meanwhile, for attempts that nobody else is left for. */
export function walkLast(search: Search, { found, inDoubt }: LastResorts, gathering: Gathering): void {
  for (const late of [...found, ...inDoubt]) {
    if (gathering.isFull) return;
    if ('contenders' in late) visitLast(search, late.lane, late.contenders, gathering);
    else addLast(late.lane, late.part, late.purse.failing(), gathering);
  }
}

/** @param behind where credentials in doubt are left for later; null: it is later already. */
function visit(search: Search, lane: Lane, contenders: Ranked<Part>[], gathering: Gathering, behind: Later[] | null, lastResorts: LastResorts): void {
  const order = inOrder(lane, contenders);
  while (!gathering.isFull) {
    const part = order.take();
    if (part === undefined) return;
    if (!isSuitable(search, lane, part)) continue;
    const purse = new Purse(search, part.pool, lane.isSticky);
    const hasReady = purse.count(1) > 0;
    if ((!hasReady && purse.doubtful().length + purse.failing().length === 0) || !gathering.open(part, lane)) continue;
    const late = { lane, part, purse };
    if (hasReady) gathering.add(late);
    if (behind === null) addDoubtful(lane, part, purse, gathering);
    else behind.push(late);
    lastResorts.found.push(late);
  }
}

function visitLast(search: Search, lane: Lane, contenders: Ranked<Part>[], gathering: Gathering): void {
  const order = inOrder(lane, contenders);
  while (!gathering.isFull) {
    const part = order.take();
    if (part === undefined) return;
    if (!isSuitable(search, lane, part)) continue;
    const credentials = new Purse(search, part.pool, lane.isSticky).all();
    if (credentials.length > 0 && gathering.open(part, lane)) addLast(lane, part, credentials, gathering);
  }
}

function addDoubtful(lane: Lane, part: Part, purse: Purse, gathering: Gathering): void {
  const doubtful = purse.doubtful();
  let taken = 0;
  if (doubtful.length > 0) gathering.add({ lane, part, purse: { count: (most) => Math.min(doubtful.length, most), take: () => doubtful[taken++] ?? null } });
}

function addLast(lane: Lane, part: Part, credentials: ReturnType<Purse['all']>, gathering: Gathering): void {
  if (credentials.length > 0) gathering.addLast({ lane, part, credentials });
}

const isSuitable = (search: Search, lane: Lane, part: Part): boolean => lane.isChecked || unmetNeed(search.need, part, upstreamOf(part, lane), lane.choosing) === null;

/** A canary that is out has its ordinary place: nobody goes there first who would get an answer elsewhere. */
function withCanaryFirst(search: Search, { segments, canary }: Lane): readonly (readonly Part[])[] {
  if (canary === null || isOut(search, canary) || !hasCredentialIn(search, canary.pool)) return segments;
  return [[canary], ...segments.map((segment) => (segment.includes(canary) ? segment.filter((part) => part !== canary) : segment))];
}

function standingOf(search: Search, lane: Lane, segment: readonly Part[], lastResorts: LastResorts): { ready: Ranked<Part>[]; doubtful: Ranked<Part>[] } {
  // Two that are compared must both be able to serve; elsewhere the order of those that are does not depend on the others.
  const isCompared = lane.indexed.strategy === 'least_latency';
  const ready: Ranked<Part>[] = [];
  const doubtful: Ranked<Part>[] = [];
  const last: Ranked<Part>[] = [];
  const lastInDoubt: Ranked<Part>[] = [];
  for (const part of segment) {
    const isLast = isOut(search, part);
    if ((isLast && !isLastResort(part)) || (isCompared && !isSuitable(search, lane, part))) continue;
    const view = viewOf(search, part);
    const isInDoubt = demotionOf(search, part, view) !== null;
    const among = isLast ? (isInDoubt ? lastInDoubt : last) : isInDoubt ? doubtful : ready;
    among.push(contender(search, lane, part, view));
  }
  if (last.length > 0) lastResorts.found.push({ lane, contenders: last });
  if (lastInDoubt.length > 0) lastResorts.inDoubt.push({ lane, contenders: lastInDoubt });
  return { ready, doubtful };
}
