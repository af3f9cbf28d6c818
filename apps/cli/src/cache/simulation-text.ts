import { NOTHING, count, dollars, duration, minuteOf } from '../output/readable.ts';
import type { Printer } from '../output/printer.ts';
import type { Column } from '../output/table.ts';
import { secondsWords } from '../notation/times.ts';
import { shareText, shareTextUp } from './share-text.ts';
import type { SimulatedCache, SimulationReport } from './simulation-report.ts';

/** Tenants that a table has: those with the most requests. --json has all. */
const MOST_TENANTS = 20;

/** The report for people, a line each. */
export function simulationLines(report: SimulationReport, print: Pick<Printer, 'tableLines' | 'paint'>): string[] {
  const title = (text: string): string => print.paint(text, 'bold');
  const byTtl = report.ttls.map((ttl) => ({ ...ttl, name: secondsWords(ttl.ttl_s) }));
  const tenants = (report.ttls[0]?.tenants ?? []).toSorted((x, y) => y.requests - x.requests).map(({ tenant }) => tenant);
  const shown = new Set(tenants.slice(0, MOST_TENANTS));
  const perTenant = tenants.length < 2 ? [] : tenants.slice(0, MOST_TENANTS).flatMap((name) => report.ttls.flatMap((ttl) => ttl.tenants.filter(({ tenant }) => tenant === name).map((one) => ({ ...one, name: secondsWords(ttl.ttl_s) }))));
  return [
    ...heading(report),
    '',
    ...print.tableLines(byTtl, [TTL, ...COLUMNS]),
    ...unknowns(report),
    ...(perTenant.length === 0 ? [] : ['', title(tenants.length > shown.size ? `By tenant (the ${shown.size} with the most requests of ${tenants.length}; --json has all)` : 'By tenant'),
      ...print.tableLines(perTenant, [{ title: 'TENANT', cell: ({ tenant }) => tenant, shrinks: true }, TTL, ...COLUMNS])]),
    '',
    title('Why not'),
    ...reasons(report, print),
    ...pairs(report, title, print),
  ];
}

function heading({ requests, ttls, from, to, bad_lines: bad, out_of_order: outOfOrder, without_time: timeless, scope, verification, verifier, max_wrong_rate: bound, exact_ttl_s: exactTtlS }: SimulationReport): string[] {
  const tenants = ttls[0]?.tenants.length ?? 0;
  const when = from === null ? '' : `, ${minuteOf(from)} to ${minuteOf(to)} UTC`;
  const words = verification === 'balanced' && verifier === null ? `${verification} without its verifier` : verification;
  const lines = [
    `${count(requests)} ${requests === 1 ? 'request' : 'requests'} of ${count(tenants)} ${tenants === 1 ? 'tenant' : 'tenants'}${when}. Nothing was served, nobody was asked.`,
    `Answers shared by ${scope}, verification ${words}, at most ${shareText(bound)} of the semantic answers wrong${exactTtlS === null ? '' : `, exact answers kept for ${secondsWords(exactTtlS)}`}.`,
  ];
  if (bad.count > 0) lines.push(`${count(bad.count)} ${bad.count === 1 ? 'line' : 'lines'} could not be read: ${bad.first.slice(0, 5).map(({ line, problem }) => `line ${line} ${problem}`).join('; ')}${bad.count > 5 ? '; …' : '.'}`);
  if (timeless === requests) lines.push('No request has a time: all count as asked at once, and nothing expires.');
  else if (timeless > 0) lines.push(`${count(timeless)} ${timeless === 1 ? 'request has' : 'requests have'} no time, and count as asked with the one before.`);
  if (outOfOrder > 0) lines.push(`${count(outOfOrder)} ${outOfOrder === 1 ? 'request is' : 'requests are'} out of order of time, and count as asked with the latest before: sort the file by time for exact figures.`);
  return lines;
}

type Row = SimulatedCache & { name: string };
const TTL: Column<Row> = { title: 'TTL', cell: ({ name }) => name };
const COLUMNS: Column<SimulatedCache>[] = [
  { title: 'REQUESTS', cell: ({ requests }) => count(requests), align: 'right' },
  { title: 'ELIGIBLE', cell: ({ eligible }) => count(eligible), align: 'right' },
  { title: 'EXACT', cell: (row) => withShare(row.exact_hits, row.exact_hit_rate), align: 'right' },
  { title: 'SEMANTIC', cell: (row) => withShare(row.semantic_hits, row.semantic_hit_rate), align: 'right' },
  { title: 'TOKENS SAVED', cell: ({ saved_tokens: saved, uncounted_hits: unknown, ...row }) => (unknown === row.exact_hits + row.semantic_hits ? NOTHING : count(saved)), align: 'right', optional: true },
  { title: 'SAVED', cell: savedText, align: 'right', optional: true, tone: () => 'green' },
  { title: 'TIME SAVED', cell: ({ saved_s: saved, untimed_hits: unknown, ...row }) => (unknown === row.exact_hits + row.semantic_hits ? NOTHING : duration(saved * 1000)), align: 'right', optional: true },
  { title: 'WRONG, EST.', cell: ({ estimated_wrong: share }) => (share === null ? NOTHING : shareTextUp(share)), align: 'right' },
  { title: 'AT MOST', cell: ({ estimated_wrong_high: share }) => (share === null ? NOTHING : shareTextUp(share)), align: 'right' },
];

const withShare = (hits: number, rate: number | null): string => `${count(hits)} (${rate === null ? NOTHING : shareText(rate)})`;

function savedText({ saved_usd: saved, cost_usd: cost, unpriced_hits: unknown, exact_hits: exact, semantic_hits: semantic }: SimulatedCache): string {
  if (unknown === exact + semantic) return NOTHING;
  return Number(cost) > 0 ? `${dollars(saved)} of ${dollars(cost)}` : dollars(saved);
}

function unknowns({ ttls }: SimulationReport): string[] {
  const last = ttls.at(-1);
  if (last === undefined || last.unpriced_hits === 0) return [];
  return [`Of ${count(last.unpriced_hits)} hits (TTL ${secondsWords(last.ttl_s)}) nobody knows the cost: neither cost_usd, nor usage of a model in the shipped price table. They are not in SAVED.`];
}

function reasons({ ttls }: SimulationReport, print: Pick<Printer, 'tableLines'>): string[] {
  const names = [...new Set(ttls.toReversed().flatMap((ttl) => Object.keys(ttl.reasons)))];
  const columns = ttls.map((ttl): Column<string> => ({
    title: secondsWords(ttl.ttl_s),
    cell: (name) => withShare(ttl.reasons[name] ?? 0, ttl.requests === 0 ? null : (ttl.reasons[name] ?? 0) / ttl.requests),
    align: 'right',
  }));
  return print.tableLines(names, [{ title: 'REASON', cell: (name) => name }, ...columns]);
}

function pairs({ merged_pairs: merged, pairs: shown }: SimulationReport, title: (text: string) => string, print: Pick<Printer, 'tableLines'>): string[] {
  if (merged === 0) return ['', 'No two different questions would have shared an answer.'];
  if (shown.length === 0) return ['', `${count(merged)} pairs of questions would have shared an answer.`];
  const rows = shown.flatMap(({ a, b, kind, similarity, explanation, tenant, wrong }) => [
    { what: `${kind}, ${similarity.toFixed(2)}, wrong at most ${shareTextUp(wrong)}`, text: `${tenant}: ${explanation}` },
    { what: 'kept', text: a },
    { what: 'asked', text: b },
  ]);
  const [, ...lines] = print.tableLines(rows, [{ title: '', cell: ({ what }) => what }, { title: '', cell: ({ text }) => text, shrinks: true }]);
  const how = shown.length < merged ? `the ${shown.length} riskiest of ${count(merged)} pairs` : `${count(merged)} ${merged === 1 ? 'pair' : 'pairs'}, the riskiest first`;
  return ['', title(`Questions that would have shared an answer: ${how}`), ...lines];
}
