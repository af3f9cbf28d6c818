import { agreementOf } from './agreement.ts';
import { ceilingsHeld } from './ceilings.ts';
import { during, type ChangeProbe, type Evidence, type NotTaken, type Try } from './evidence.ts';
import { LOWERED_LIMIT } from './probes.ts';
import { endOf } from './questions.ts';
import { outcomeOf, served, type Served } from './served.ts';

/** What was found of one promise. */
export interface Verdict {
  /** Its row in DESIGN.md, section 5; null for what follows from several. */
  row: number | null;
  promise: string;
  held: boolean;
  counts: Record<string, number>;
  /** Sentences: each says what was broken. */
  broken: string[];
}

/** From the confirmation of a change on. */
const IN_FORCE_MS = 1000;
/** A gateway that was killed took with it what was asked of it. */
const KILL_MS = 2000;

type Judged = { counts: Record<string, number>; broken: string[] };

/** Holds what was seen against each promise. */
export function verdicts(evidence: Evidence): Verdict[] {
  const all = served(evidence);
  const rows: [row: number | null, promise: string, judged: Judged][] = [
    [1, 'a key reads nothing of another tenant', tenantsApart(evidence)],
    [2, 'no secret is in clear in Postgres, Redis, a log, a metric', { counts: { 'secrets sought': evidence.secretsSought }, broken: evidence.secretsFound }],
    [3, 'two gateways enforce one limit', ceilingsHeld(evidence)],
    [4, 'each accepted operation is in the ledger exactly once, at its cost', exactlyOnce(evidence)],
    [5, 'no failure of a part fails a request that a provider could serve', neverFailed(evidence, all)],
    [6, 'a cut stream never looks complete, and enters no cache', cutStreams(evidence)],
    [7, 'a change is in force within a second', changesInForce(evidence)],
    [8, 'bad input gets a 4xx, and reaches no provider', badInput(evidence)],
    [9, 'stops and rolling restarts lose nothing', restarts(evidence, all)],
    [null, 'nothing is left behind, and all are ready in the end', { counts: evidence.left, broken: [...Object.entries(evidence.left).flatMap(([what, n]) => (n === 0 ? [] : [`${what}: ${n}`])), ...evidence.notReady] }],
  ];
  return rows.map(([row, promise, { counts, broken }]) => ({ row, promise, held: broken.length === 0, counts, broken }));
}

const answered = ({ tries }: Evidence): (Try & { text: string })[] => tries.filter((one): one is Try & { text: string } => one.text !== null && outcomeOf(one) === 'ok');
const isHit = ({ cache }: Try): boolean => cache?.startsWith('HIT') === true;

/** Every text that can be told apart ends with whom it was bought for: somebody of the same tenant. */
function tenantsApart(evidence: Evidence): Judged {
  const texts = answered(evidence).filter(({ asker }) => asker !== 'vectors');
  const broken = texts.flatMap(({ mark, tenant, question, text }) => (text.includes(endOf(question, tenant)) ? [] : [`${mark} of ${tenant} asked ${question} and was told …${text.slice(-40)}`]));
  const tenants = new Map(evidence.tries.map(({ mark, t, tenant }) => [`${mark}.${t}`, tenant]));
  const rows = evidence.operations.flatMap(({ id, mark, tenant }) => (tenants.get(mark) === undefined || tenants.get(mark) === tenant ? [] : [`row ${id} of ${tenants.get(mark)} is ${tenant}’s`]));
  return { counts: { answers: texts.length, 'hits among them': texts.filter(isHit).length, rows: evidence.operations.length }, broken: [...broken, ...rows] };
}

/** Who asks could not be told, or nobody looked who it is, for overload. */
const isOfNobody = ({ status, errorCode, why }: Try): boolean => status === 503 && errorCode === 'overloaded' && /\bkey\b|more requests than it can serve/i.test(why ?? '');

function exactlyOnce({ tries, calls, operations, attempts, rates }: Evidence): Judged {
  // A request that reached nobody has no id; who asked could not be told of one that was refused for that: nobody's bill.
  const clients = tries.map((one) => ({ mark: `${one.mark}.${one.t}`, question: one.question, status: one.status, requestId: one.requestId, wasNobody: isOfNobody(one) }));
  const found = agreementOf({ clients, calls: calls.filter(({ question }) => !question.startsWith('x')), operations, attempts, rates });
  return {
    counts: { requests: found.requests, operations: found.operations, 'calls by the providers': found.providerCalls, 'calls in the ledger': found.ledgerCalls, orphans: found.orphans, 'calls of orphans': found.orphanedCalls, 'nano-USD that agree': Number(found.agreedNanoUsd) },
    broken: found.differences,
  };
}

function neverFailed({ notTaken, faults }: Evidence, { outcomes, excused, failures }: Served): Judged {
  // The balancer learns of a gateway that dies or stops by its connections, too. At any other time who is ready takes them.
  const isExplained = ({ gateway, atMs }: NotTaken): boolean => faults.some((fault) => fault.target === 'gateway' && ((fault.kind === 'kill' && fault.n === gateway + 1) || fault.kind === 'restart') && during(fault, atMs - KILL_MS, atMs));
  const closed = notTaken.filter((one) => !isExplained(one)).map(({ gateway }) => `gateway ${gateway + 1} said that it was ready, and took no connection`);
  return { counts: { answered: outcomes.ok, left: outcomes.left, 'refused by a limit': outcomes.refused, failed: outcomes.failed, ...excused }, broken: [...failures, ...closed] };
}

function cutStreams(evidence: Evidence): Judged {
  const streams = evidence.tries.filter(({ stream, status, ended }) => stream && status === 200 && ended !== 'left');
  const whole = (one: Try): boolean => one.text?.includes(endOf(one.question, one.tenant)) === true;
  const looksComplete = streams.filter((one) => one.isComplete && !whole(one)).map(({ mark, text }) => `${mark} says [DONE] after ${JSON.stringify(text?.slice(-40) ?? null)}`);
  const hits = answered(evidence).filter((one) => isHit(one) && one.asker !== 'vectors');
  const cutHits = hits.filter((one) => !whole(one)).map(({ mark, text }) => `${mark} was served from a cache: ${JSON.stringify(text.slice(-40))}`);
  return { counts: { streams: streams.length, cut: streams.filter(({ isComplete }) => !isComplete).length, 'answers from a cache': hits.length }, broken: [...looksComplete, ...cutHits] };
}

function changesInForce({ changes, alone }: Evidence): Judged {
  const decidedAlone = ({ what, gateway, startMs, endMs }: ChangeProbe): boolean => what === LOWERED_LIMIT && alone.some((span) => span.gateway === gateway && span.fromMs <= endMs && startMs <= span.untilMs);
  const broken = changes.filter((one) => one.afterMs >= IN_FORCE_MS && one.found === 'old' && !decidedAlone(one)).map(({ what, gateway, afterMs }) => `${what} still held at gateway ${gateway + 1} after ${afterMs} ms`);
  return { counts: { 'looks after a change': changes.length, 'later than a second': changes.filter(({ afterMs }) => afterMs >= IN_FORCE_MS).length }, broken };
}

function badInput({ bad, faults, badAtProvider }: Evidence): Judged {
  const wrong = bad.filter(({ what, gateway, status, code, startMs, endMs }) => {
    if (status === null) return !faults.some((fault) => fault.target === 'gateway' && fault.kind === 'kill' && fault.n === gateway + 1 && during({ ...fault, wellMs: fault.startMs + KILL_MS }, startMs, endMs));
    // Nobody can tell a key that nobody knows while those who know are away.
    return (status < 400 || status >= 500) && !(status === 503 && code === 'overloaded' && what === 'a key of nobody');
  });
  const broken = wrong.map(({ what, gateway, status, code, why, startMs }) => `${what} got ${status ?? 'no answer'} ${code ?? why ?? ''} at gateway ${gateway + 1}, during ${faults.filter((fault) => during(fault, startMs, startMs)).map(({ target, kind }) => `${kind} of ${target}`).join(' and ') || 'calm'}`);
  return { counts: { 'bad requests': bad.length, 'seen by a provider': badAtProvider }, broken: badAtProvider === 0 ? broken : [...broken, `${badAtProvider} reached a provider`] };
}

function restarts({ faults, tries }: Evidence, { inRestarts }: Served): Judged {
  const all = faults.filter(({ kind }) => kind === 'restart');
  return { counts: { restarts: all.length, 'requests meanwhile': tries.filter(({ startMs, endMs }) => all.some((fault) => during(fault, startMs, endMs))).length }, broken: inRestarts };
}
