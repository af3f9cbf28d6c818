import type { ReplyOf } from '@deja/admin-api';
import type { Printer } from './printer.ts';
import { count, dollars, duration, minuteOf, NOTHING, percent } from './readable.ts';
import { fields } from './table.ts';

type Stats = ReplyOf<'cacheStats'>;
type Savings = NonNullable<Stats['savings']>;
type WrongRate = NonNullable<Stats['wrong_rates']>[number];
type Match = NonNullable<ReplyOf<'invalidateCache'>['matches']>[number];
type Drawing = Pick<Printer, 'tableLines' | 'paint'>;

/** `deja cache stats`, for people: what is held and saved as fields, why requests missed and how often answers were wrong as tables. */
export function cacheFigureLines(stats: Stats, print: Drawing): string[] {
  const { tenant, exact_entries: exact, semantic_entries: semantic, bytes, partial, savings, wrong_rates: rates } = stats;
  const orMore = (number: number): string => `${count(number)}${partial ? ' or more' : ''}`;
  const held: [string, string][] = [['tenant', tenant ?? 'all'], ['exact entries', orMore(exact)], ['semantic entries', orMore(semantic)], ['bytes', orMore(bytes)]];
  const title = (text: string): string[] => ['', print.paint(text, 'bold')];
  return [
    ...fields([...held, ...(savings === null ? ([['saved', 'unknown: no usage-worker answers']] as const) : savingFields(savings))], print.paint),
    ...(savings === null || savings.reasons.length === 0 ? [] : [...title('Not answered from the cache'), ...reasonLines(savings, print)]),
    ...(rates?.length === 0 ? [] : title('Semantic answers that were wrong')),
    ...(rates === null ? ['unknown: no semantic-cache answers'] : rates.length === 0 ? [] : wrongRateLines(rates, print)),
  ];
}

/** The questions whose answers are meant, the nearest first. */
export const matchLines = (matches: readonly Match[], print: Pick<Drawing, 'tableLines'>): string[] => (matches.length === 0 ? [] : print.tableLines(matches, [
  { title: 'SIMILARITY', cell: ({ similarity }) => similarity.toFixed(3), align: 'right' },
  { title: 'TENANT', cell: ({ tenant }) => tenant },
  { title: 'ENTRY', cell: ({ entry }) => entry },
  { title: 'QUESTION', cell: ({ text }) => text, shrinks: true },
]));

const savingFields = ({ from, to, requests, hits_exact: exact, hits_semantic: semantic, hit_rate: rate, saved_usd: usd, saved_seconds: seconds }: Savings): [string, string][] => [
  ['from', minuteOf(from)],
  ['to', minuteOf(to)],
  ['requests', count(requests)],
  ['hits', `${percent(rate)}: ${count(exact)} exact, ${count(semantic)} semantic`],
  ['saved', `${dollars(usd)}, ${duration(seconds * 1000)}`],
];

const reasonLines = ({ reasons }: Savings, print: Drawing): string[] => print.tableLines(reasons, [
  { title: 'CACHE', cell: ({ cache }) => cache },
  { title: 'REASON', cell: ({ reason }) => reason ?? NOTHING },
  { title: 'REQUESTS', cell: ({ requests }) => count(requests), align: 'right' },
]);

const wrongRateLines = (rates: readonly WrongRate[], print: Drawing): string[] => print.tableLines(rates, [
  { title: 'TENANT', cell: ({ tenant }) => tenant, shrinks: true },
  { title: 'MODEL', cell: ({ model }) => model, shrinks: true },
  { title: 'CHECKED', cell: ({ observations }) => count(observations), align: 'right' },
  { title: 'WRONG', cell: ({ wrong }) => count(wrong), align: 'right' },
  { title: 'RATE', cell: ({ rate }) => finely(rate), align: 'right' },
  { title: '95 %', cell: ({ low, high }) => `${finely(low)} to ${finely(high)}` },
  { title: 'SERVED', cell: ({ stopped }) => (stopped ? 'stopped' : 'yes'), tone: ({ stopped }) => (stopped ? 'red' : null) },
]);

/** A share of few: `0.25%`. */
const finely = (share: number): string => `${(share * 100).toFixed(2)}%`;
