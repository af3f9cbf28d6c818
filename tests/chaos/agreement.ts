/** One call as the provider saw it. */
export interface ProviderCall {
  /** The question asked: what both sides know of it. */
  question: string;
  provider: string;
  /** The status it was answered with. */
  status: number;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  /** Unix ms; `endMs` is null where nobody noticed its end. */
  startMs: number;
  endMs: number | null;
  /** Whether the whole answer went out. */
  finished: boolean;
}

/** One call as the ledger has it. */
export interface LedgerCall {
  operation: string;
  question: string;
  provider: string;
  status: number | null;
  outcome: string;
  usageSource: string;
  promptTokens: number | null;
  cachedTokens: number | null;
  completionTokens: number | null;
  costNanoUsd: bigint | null;
}

export interface LedgerOperation {
  id: string;
  tenant: string;
  /** Names one request of one client. */
  mark: string;
  question: string;
  status: number;
  outcome: string;
  errorCode: string | null;
  cache: string | null;
  costNanoUsd: bigint | null;
  /** Unix ms. */
  receivedMs: number;
  durationMs: number | null;
}

/** One request as its client saw it. */
export interface ClientRequest {
  mark: string;
  question: string;
  /** `x-request-id`; null where no answer came. */
  requestId: string | null;
  status: number | null;
  /** It was told that nobody could say who asks: nobody's bill, and no row. */
  wasNobody?: boolean;
}

/** Nano-USD per million tokens. */
export interface Rates {
  input: bigint;
  cachedInput: bigint;
  output: bigint;
}

export interface Agreement {
  requests: number;
  operations: number;
  providerCalls: number;
  ledgerCalls: number;
  orphans: number;
  /** Calls of the provider that only an orphaned row stands for. */
  orphanedCalls: number;
  /** Of calls that both sides tell alike; nano-USD, by the provider's numbers. */
  agreedNanoUsd: bigint;
  /** Sentences: each is a defect. */
  differences: string[];
}

/** What one killed request may have called: its first deployment, retries and failovers. */
const MOST_CALLS = 4;

/** Holds what the provider saw and what clients saw against the ledger, row by row, to the nano-dollar. */
export function agreementOf(o: { clients: ClientRequest[]; calls: ProviderCall[]; operations: LedgerOperation[]; attempts: LedgerCall[]; rates: Rates }): Agreement {
  const differences: string[] = [];
  const byMark = Map.groupBy(o.operations, ({ mark }) => mark);
  for (const { mark, requestId, status, wasNobody = false } of o.clients) {
    const rows = byMark.get(mark) ?? [];
    if (wasNobody) {
      if (rows.length > 0) differences.push(`request ${mark} of nobody has a row`);
      continue;
    }
    if (rows.length > 1) differences.push(`request ${mark} has ${rows.length} rows`);
    if (requestId !== null && rows[0]?.id !== requestId) differences.push(`request ${mark} was answered ${status} as ${requestId}, and the ledger has ${rows[0]?.id ?? 'no row'}`);
  }
  const asked = new Set(o.clients.map(({ mark }) => mark));
  differences.push(...[...byMark.keys()].filter((mark) => !asked.has(mark)).map((mark) => `nobody asked ${mark}, and the ledger has it`));
  const attemptsOf = Map.groupBy(o.attempts, ({ operation }) => operation);
  for (const operation of o.operations) differences.push(...sumDifference(operation, attemptsOf.get(operation.id) ?? []));
  const questions = new Set([...o.calls, ...o.attempts].map(({ question }) => question));
  const [calls, attempts, operations] = [Map.groupBy(o.calls, ({ question }) => question), Map.groupBy(o.attempts, ({ question }) => question), Map.groupBy(o.operations, ({ question }) => question)];
  let [orphanedCalls, agreedNanoUsd] = [0, 0n];
  for (const question of questions) {
    const matched = matchedCalls(calls.get(question) ?? [], attempts.get(question) ?? [], o.rates);
    differences.push(...matched.differences.map((text) => `${question}: ${text}`));
    agreedNanoUsd += matched.agreedNanoUsd;
    const orphans = (operations.get(question) ?? []).filter(({ outcome }) => outcome === 'orphaned').length;
    if (matched.left > orphans * MOST_CALLS) differences.push(`${question}: calls of the provider with status ${matched.statuses.join(', ')} have no row, and ${orphans} requests are orphaned`);
    orphanedCalls += matched.left;
  }
  const orphans = o.operations.filter(({ outcome }) => outcome === 'orphaned').length;
  return { requests: o.clients.length, operations: o.operations.length, providerCalls: o.calls.length, ledgerCalls: o.attempts.length, orphans, orphanedCalls, agreedNanoUsd, differences };
}

function sumDifference({ id, outcome, cache, costNanoUsd }: LedgerOperation, attempts: LedgerCall[]): string[] {
  if (outcome === 'orphaned') return attempts.length === 0 ? [] : [`orphan ${id} has attempts`];
  if (cache?.startsWith('HIT') === true && (attempts.length > 0 || costNanoUsd !== 0n)) return [`hit ${id} has a cost or attempts`];
  const known = attempts.map((attempt) => attempt.costNanoUsd);
  const sum = known.reduce<bigint | null>((total, cost) => (total === null || cost === null ? null : total + cost), 0n);
  return sum === costNanoUsd ? [] : [`operation ${id} costs ${costNanoUsd}, its attempts ${sum}`];
}

function matchedCalls(calls: ProviderCall[], attempts: LedgerCall[], rates: Rates): { left: number; statuses: string[]; agreedNanoUsd: bigint; differences: string[] } {
  const open = new Set(calls);
  const take = (fits: (call: ProviderCall) => boolean): ProviderCall | null => {
    for (const call of open) if (fits(call)) return open.delete(call) ? call : null;
    return null;
  };
  const differences: string[] = [];
  let agreedNanoUsd = 0n;
  // Those that must match exactly go first.
  for (const attempt of attempts.toSorted((a, b) => rank(a) - rank(b))) {
    const { provider, status, usageSource } = attempt;
    if (usageSource === 'upstream') {
      const call = take((it) => it.provider === provider && it.status === status && it.promptTokens === attempt.promptTokens && it.completionTokens === attempt.completionTokens && it.cachedTokens === attempt.cachedTokens);
      const costNanoUsd = call === null ? null : costOf(call, rates);
      if (call === null) differences.push(`the ledger has a call of ${provider} with ${attempt.promptTokens} + ${attempt.completionTokens} tokens that the provider has not`);
      else if (costNanoUsd !== attempt.costNanoUsd) differences.push(`a call of ${provider} costs ${costNanoUsd}, the ledger says ${attempt.costNanoUsd}`);
      agreedNanoUsd += costNanoUsd ?? 0n;
    } else if (status === null || status === 200) {
      // It broke off, or nobody waited for it: of an answer that had begun the provider knows more than anybody here.
      const fits = [({ finished }: ProviderCall) => !finished, (it: ProviderCall) => it.status === 200, () => true];
      fits.some((fit) => take((it) => it.provider === provider && fit(it)) !== null);
    } else if (take((it) => it.provider === provider && it.status === status) === null) differences.push(`the ledger has a ${status} of ${provider} that the provider has not`);
  }
  return { left: open.size, statuses: [...open].map(({ status, finished }) => `${status}${finished ? '' : ' (broken off)'}`), agreedNanoUsd, differences };
}

const rank = ({ usageSource, status }: LedgerCall): number => (usageSource === 'upstream' ? 0 : status !== null && status !== 200 ? 1 : 2);

/** As providers bill: in integers, rounded half up once. */
function costOf({ promptTokens, cachedTokens, completionTokens }: ProviderCall, { input, cachedInput, output }: Rates): bigint {
  const total = BigInt(promptTokens - cachedTokens) * input + BigInt(cachedTokens) * cachedInput + BigInt(completionTokens) * output;
  return (2n * total + 1_000_000n) / 2_000_000n;
}
