import { credentialIdOf, deploymentOf, HEALTHY, WELL, type Client, type LedgerAttempt, type LedgerRows, type PoolState } from './faults-cluster.ts';
import { TIMES, type AttemptSaid, type Break, type Fault, type Form, type Learned, type Told } from './faults-table.ts';

/** `first`: another deployment is healthy. `last`: the other one was asked before, and rejected its credential. `only`: there is no other. */
export const POSITIONS = ['first', 'last', 'only'] as const;
export type Position = (typeof POSITIONS)[number];

/** What is to be seen after one question. */
export interface Expected {
  client: Client | null;
  ledger: LedgerRows;
  pool: PoolState;
}

const REJECTED: AttemptSaid = { status: 401, outcome: 'error', error_code: 'upstream_error', usage_source: 'none' };
const GOOD: AttemptSaid = { status: 200, outcome: 'ok', error_code: null, usage_source: 'upstream' };
const row = (provider: string, said: AttemptSaid): LedgerAttempt => ({ deployment: deploymentOf(provider), credential: credentialIdOf(provider), ...said });

/** The client left before it had anything; the number is nginx's. */
const LEFT = 499;
const OUTCOMES: Partial<Record<Fault['kind'], string>> = { cancelled: 'cancelled', blocked: 'blocked' };

export const teachesNothing = ({ learned }: Pick<Fault, 'learned'>): boolean => learned.deployment === 'nothing' && learned.credential === undefined;

/** How often one request asks the faulty deployment. */
const timesAsked = ({ next }: Fault, position: Position): number => (next !== 'same' || position === 'first' ? 1 : position === 'last' ? TIMES.attempts - 1 : TIMES.attempts);
const toldAt = ({ told, toldLast }: Fault, position: Position): Told | null => (position === 'last' ? (toldLast ?? told) : told);

const PLAIN: Pick<Client, 'error' | 'retryAfter' | 'shouldRetry'> = { error: null, retryAfter: null, shouldRetry: null };

export function expectedFault(name: string, fault: Fault, position: Position, form: Form): Expected {
  const isServed = position === 'first' && fault.next !== 'nobody';
  const told = toldAt(fault, position);
  const times = timesAsked(fault, position);
  const attempts = [...(position === 'last' ? [row(`${name}-rejecting`, REJECTED)] : []), ...Array.from({ length: times }, () => row(name, fault.attempt)), ...(isServed ? [row(HEALTHY, GOOD)] : [])];
  const served: Client = { status: 200, text: WELL, provider: HEALTHY, attempts: String(attempts.length), ...PLAIN };
  const refused: Client | null = told && { ...served, status: told.status, text: '', provider: name, ...tellingOf(told) };
  return {
    client: isServed ? served : refused,
    ledger: {
      operation: isServed ? { status: 200, outcome: 'ok', error_code: null, stream: form === 'stream' } : { status: told?.status ?? LEFT, outcome: OUTCOMES[fault.kind] ?? 'error', error_code: told?.code ?? null, stream: form === 'stream' },
      attempts,
    },
    pool: expectedPool(fault, times),
  };
}

export function expectedBreak(name: string, fault: Break): Expected {
  const { told, kind, attempt } = fault;
  return {
    client: told && { status: 200, text: '', provider: name, attempts: '1', ...PLAIN, error: { type: told.type, code: told.code, param: null } },
    ledger: { operation: { status: 200, outcome: OUTCOMES[kind] ?? 'error', error_code: told?.code ?? null, stream: true }, attempts: [row(name, attempt)] },
    pool: expectedPool(fault, 1),
  };
}

const tellingOf = ({ type, code, param, retryAfter }: Told): Pick<Client, 'error' | 'retryAfter' | 'shouldRetry'> => ({ error: { type, code, param: param ?? null }, retryAfter: retryAfter ?? null, shouldRetry: retryAfter === undefined ? null : 'true' });

/** Where nothing is learned, the good call that is made afterwards is the only one that counts. */
function expectedPool(fault: Pick<Fault, 'learned'>, times: number): PoolState {
  const { deployment, credential }: Learned = fault.learned;
  if (teachesNothing(fault)) return { calls: 1, failures: 0, trouble: null, credential: null, pauses: [] };
  const failures = deployment === 'failing' ? times : 0;
  const isOut = failures >= TIMES.attempts;
  return {
    calls: deployment === 'nothing' ? 0 : times,
    failures,
    trouble: isOut ? 'failing' : null,
    credential: credential?.trouble ?? null,
    pauses: [...(isOut ? [{ forMs: TIMES.breakerPauseMs, guessed: true }] : []), ...(credential ? [{ forMs: credential.forMs, guessed: credential.guessed }] : [])],
  };
}

/** The guarantee that a row of the table is. */
export function titleOf(fault: Fault, position: Position): string {
  const what = `${fault.kind}: ${fault.name}`;
  const told = toldAt(fault, position);
  if (position === 'first') {
    if (fault.next !== 'nobody') return `${what}, at the first attempt: another deployment answers, and the client notices nothing`;
    return told === null ? `${what}, at the first attempt: nobody else is asked` : `${what}, at the first attempt: ${told.status} ${told.code}, and nobody else is asked`;
  }
  const where = position === 'last' ? 'at the last attempt' : 'with nobody else to ask';
  if (told === null) return `${what}, ${where}: nothing more happens`;
  return `${what}, ${where}: ${told.status} ${told.code}${fault.next === 'same' && position === 'only' ? `, after ${TIMES.attempts} attempts` : ''}`;
}

export const titleOfBreak = ({ kind, name, told }: Break): string => `${kind}: ${name}, mid-stream: ${told === null ? 'nothing more happens' : `the error ${told.code} and no [DONE], and nobody else goes on`}`;
