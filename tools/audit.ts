/** An advisory that is known and does not stop a change, until a day. */
export interface Allowed {
  /** As the advisory database names it: GHSA-… */
  id: string;
  reason: string;
  /** The last day on which it is let pass, as 2026-12-31. */
  until: string;
}

export interface Advisory {
  id: string;
  package: string;
  severity: string;
  title: string;
}

export type Verdict =
  | { kind: 'not made'; why: string }
  /** `found` stops a change; `allowed` is let pass. */
  | { kind: 'made'; found: Advisory[]; allowed: Advisory[]; expired: Allowed[] };

const STOPPING = new Set(['high', 'critical']);

/**
 * What `npm audit --json` (report version 2) comes to. What is no report, as where no registry answers, is an audit that was not made.
 * @param today as 2026-11-27
 */
export function verdictOf(output: string, allow: readonly Allowed[], today: string): Verdict {
  const report = reportIn(output);
  if (report === null) return { kind: 'not made', why: 'npm audit gave no report' };
  if (typeof report.vulnerabilities !== 'object' || report.vulnerabilities === null) return { kind: 'not made', why: String(report.message ?? report.error?.summary ?? 'npm audit gave no report').split('\n')[0] ?? '' };
  const advisories = Object.values(report.vulnerabilities).flatMap(({ via }) => via.filter((cause) => typeof cause === 'object'));
  const stopping = new Map(advisories.filter(({ severity }) => STOPPING.has(severity)).map((cause) => [idOf(cause.url), { id: idOf(cause.url), package: cause.name, severity: cause.severity, title: cause.title }]));
  const inForce = new Set(allow.filter(({ until }) => until >= today).map(({ id }) => id));
  const all = [...stopping.values()];
  return { kind: 'made', found: all.filter(({ id }) => !inForce.has(id)), allowed: all.filter(({ id }) => inForce.has(id)), expired: allow.filter(({ until }) => until < today) };
}

interface Report {
  vulnerabilities?: Record<string, { via: (string | { url: string; name: string; severity: string; title: string })[] }> | null;
  message?: string;
  error?: { summary?: string };
}

function reportIn(output: string): Report | null {
  try {
    const report: unknown = JSON.parse(output);
    return typeof report === 'object' && report !== null ? report : null;
  } catch {
    return null; // the caller says so
  }
}

const idOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
