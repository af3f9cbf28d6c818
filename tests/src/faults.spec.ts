import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FAILURE_KINDS } from '@deja/contracts';
import { chat, eventually, post } from './client.ts';
import { FaultyCluster, HEALTHY, WELL, type Client, type FaultyModel } from './faults-cluster.ts';
import { expectedBreak, expectedFault, POSITIONS, teachesNothing, titleOf, titleOfBreak, type Expected, type Position } from './faults-expected.ts';
import { BEGINNING, BLOCKED, BLOCKED_BREAKS, BREAKS, FAULTS, FORBIDDEN_WORD, FORMS, type Break, type Fault, type Form } from './faults-table.ts';

const ALL_FAULTS = [...FAULTS, ...BLOCKED];
const ALL_BREAKS = [...BREAKS, ...BLOCKED_BREAKS];

/** Each has a model and a provider of its own: what one teaches the pool decides nothing for another. */
const nameOf = (fault: Fault, position: Position, form: Form): string => `${fault.kind}-${ALL_FAULTS.indexOf(fault)}-${position}-${form}`;
const nameOfBreak = (fault: Break): string => `broken-${ALL_BREAKS.indexOf(fault)}`;

interface Try {
  name: string;
  fault: Fault;
  position: Position;
  form: Form;
}
const triesOf = (faults: readonly Fault[]): Try[] =>
  faults.flatMap((fault) => POSITIONS.flatMap((position) => (fault.forms ?? FORMS).map((form) => ({ name: nameOf(fault, position, form), fault, position, form }))));

const modelOf = ({ name, position }: Try): FaultyModel => ({ name, providers: { first: [name, HEALTHY], last: [`${name}-rejecting`, name], only: [name] }[position] });

interface CredentialState {
  trouble: string | null;
  unavailable_until: string | null;
}
const lineOf = (id: string, { trouble, unavailable_until: until }: CredentialState): string => `${id} ${trouble} ${until}`;

let faulty: FaultyCluster;

beforeAll(async () => {
  const tries = triesOf(ALL_FAULTS);
  const closed = tries.filter(({ fault }) => fault.does === 'refuse').map(({ name }) => name);
  faulty = await FaultyCluster.start([...tries.map(modelOf), ...ALL_BREAKS.map((fault) => ({ name: nameOfBreak(fault), providers: [nameOfBreak(fault), HEALTHY] }))], new Set(closed));
}, 60_000);
afterAll(() => faulty?.stop());

/** Waits until all of it is there: what the client got, what the ledger says, what the pool learned. */
async function sawOf(name: string, fault: Fault | Break, expected: Expected, ask: () => Promise<Client | null>): Promise<Expected> {
  const fromMs = Date.now();
  const client = await ask();
  const moment = { fromMs, toMs: Date.now() };
  const ledger = await faulty.ledger(name);
  // That nothing was learned shows only once there is something to learn.
  if (teachesNothing(fault)) {
    faulty.tell(name);
    await post(faulty.cluster, chat('And now?', { model: name }));
  }
  return { client, ledger, pool: await faulty.pool(name, expected.pool, moment) };
}

function saw({ name, fault, position, form }: Try): Promise<Expected> {
  if (fault.does !== 'refuse') faulty.tell(name, fault.does);
  const leaves = fault.leaves === true ? (): boolean => faulty.calls(name) > 0 : null;
  return sawOf(name, fault, expectedFault(name, fault, position, form), () => faulty.ask(name, form, leaves));
}

/** Also what a client that reads bytes got. */
async function sawBreak(name: string, fault: Break): Promise<{ seen: Expected; raw: string }> {
  const { promise: begun, resolve: hasBegun } = Promise.withResolvers<void>();
  // What came together with the beginning could still be another one's turn.
  faulty.tell(name, { ...fault.does, gate: (i) => (i === (fault.at ?? 1) ? begun : undefined) });
  let raw = '';
  const seen = await sawOf(name, fault, expectedBreak(name, fault), async () => {
    const read = await faulty.read(name, hasBegun, fault.leaves);
    raw = read?.raw ?? '';
    return read?.client ?? null;
  });
  return { seen, raw };
}

test('every kind of failure is in the table', () => {
  expect(new Set(ALL_FAULTS.map(({ kind }) => kind))).toEqual(new Set(FAILURE_KINDS));
});

/** For every failure in every position, whole and streamed: what the client gets, what the ledger says, what the pool learned. */
function table(faults: readonly Fault[], breaks: readonly Break[]): void {
  const cases = faults.flatMap((fault) => POSITIONS.map((position) => [titleOf(fault, position), triesOf([fault]).filter((one) => one.position === position)] as const));
  test.each(cases)('%s', async (_, tries) => {
    expect(await Promise.all(tries.map(saw))).toEqual(tries.map(({ name, fault, position, form }) => expectedFault(name, fault, position, form)));
  });

  test.each(breaks.map((fault) => [titleOfBreak(fault), fault] as const))('%s', async (_, fault) => {
    const name = nameOfBreak(fault);
    const { seen, raw } = await sawBreak(name, fault);
    expect(seen).toEqual(expectedBreak(name, fault));
    expect(raw.includes(BEGINNING.trim())).toBe(fault.told !== null);
    expect(raw).not.toMatch(new RegExp(String.raw`\[DONE\]|${WELL}`));
    faulty.tell(name);
    expect((await post(faulty.cluster, faulty.question(name, true))).headers.get('x-cache')).toBe('MISS');
  });
}

describe('a failure', () => {
  table(FAULTS, BREAKS);

  test('that sets a credential aside is told alike where credentials and where deployments are listed', async () => {
    const listed = async (): Promise<{ credentials: string[]; deployments: string[] }> => {
      const { data: credentials } = await faulty.admin<{ data: (CredentialState & { provider: string; name: string })[] }>('credentials?limit=1000');
      const { data: deployments } = await faulty.admin<{ data: { credentials: (CredentialState & { id: string })[] }[] }>('deployments?limit=1000');
      return { credentials: credentials.map((one) => lineOf(`${one.provider}/${one.name}`, one)).toSorted(), deployments: deployments.flatMap((one) => one.credentials.map((credential) => lineOf(credential.id, credential))).toSorted() };
    };
    expect((await listed()).credentials.length).toBeGreaterThan(100);
    await eventually('both lists to be alike', async () => {
      const { credentials, deployments } = await listed();
      return credentials.join() === deployments.join();
    });
  });
});

describe('a failure under a rule for answers', () => {
  beforeAll(() => faulty.configure({ content_safety: { deny: [{ name: 'bird', pattern: FORBIDDEN_WORD, action: 'block', on: 'answers' }] } }));
  table(BLOCKED, BLOCKED_BREAKS);
});
