import { cpus, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  memory_gib: number;
  node: string;
  platform: string;
}

export function thisMachine(): Machine {
  const cores = cpus();
  return { cpu: cores[0]?.model.trim() ?? 'unknown', cores: cores.length, memory_gib: Math.round(totalmem() / 2 ** 30), node: process.version, platform: `${process.platform}-${process.arch}` };
}

export interface Percentiles {
  p50: number;
  p99: number;
}

/** Nearest rank; NaN of nothing. */
export function percentiles(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** One request after another; `added` is the percentile through the gateway minus the same percentile without it. */
export interface LatencyRow {
  what: string;
  requests: number;
  direct: Percentiles;
  gateway: Percentiles;
  added: Percentiles;
}

/** As many as go through. Processor time in µs per request: of the gateway's process, and of all that deja runs, with Redis and Postgres. */
export interface ThroughputRow {
  what: string;
  workers: number;
  requests: number;
  perSecond: number;
  p50: number;
  p99: number;
  gatewayCpuUs: number | null;
  allCpuUs: number | null;
}

export interface Report {
  machine: Machine;
  /** Share of the machine that other programs took meanwhile, 0…1: with more than a few percent the figures say little. */
  others_share: number;
  latency: LatencyRow[];
  throughput: ThroughputRow[];
}

export function markdown({ machine, others_share, latency, throughput }: Report): string {
  const ms = (value: number): string => value.toFixed(2);
  const us = (value: number | null): string => (value === null ? '' : String(Math.round(value)));
  return `
${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, Node ${machine.node}. One replica of each app; load generator and provider run on the same machine, of which other programs took ${(others_share * 100).toFixed(0)} % meanwhile.

| one request after another, ms | n | direct p50 | p99 | deja p50 | p99 | **added p50** | **p99** |
|---|--:|--:|--:|--:|--:|--:|--:|
${latency.map((row) => `| ${row.what} | ${row.requests} | ${ms(row.direct.p50)} | ${ms(row.direct.p99)} | ${ms(row.gateway.p50)} | ${ms(row.gateway.p99)} | **${ms(row.added.p50)}** | **${ms(row.added.p99)}** |`).join('\n')}

| closed loop | workers | requests/s | p50 ms | p99 ms | gateway CPU µs/request | all of deja, µs/request |
|---|--:|--:|--:|--:|--:|--:|
${throughput.map((row) => `| ${row.what} | ${row.workers} | ${Math.round(row.perSecond)} | ${ms(row.p50)} | ${ms(row.p99)} | ${us(row.gatewayCpuUs)} | ${us(row.allCpuUs)} |`).join('\n')}
`;
}
