/** How one credential fared at a deployment lately, Unix ms; 0 where it did not. */
export interface Use {
  answeredAtMs: number;
  failedAtMs: number;
}

/** By `id@version`: whichever was used at a deployment within the window of its breaker. */
export type Uses = Readonly<Record<string, Use>>;

/** With one more call of that credential, and without those that were not used since. */
export function usesAfter(uses: Uses, key: string, { endedMs, failed }: { endedMs: number; failed: boolean }, fromMs: number): Uses {
  const { answeredAtMs, failedAtMs } = uses[key] ?? { answeredAtMs: 0, failedAtMs: 0 };
  const use = failed ? { answeredAtMs, failedAtMs: Math.max(failedAtMs, endedMs) } : { answeredAtMs: Math.max(answeredAtMs, endedMs), failedAtMs };
  return Object.fromEntries(Object.entries({ ...uses, [key]: use }).filter(([, one]) => Math.max(one.answeredAtMs, one.failedAtMs) >= fromMs));
}

/** Whether this credential has had no answer since then, while another one has. */
export function failsAlone(uses: Uses, key: string, fromMs: number): boolean {
  return (uses[key]?.answeredAtMs ?? 0) < fromMs && Object.values(uses).some(({ answeredAtMs }) => answeredAtMs >= fromMs);
}

/** Whether that is so of every credential that has failed since then: it is they who fail, and not what they are used at. */
export function failuresAreOfCredentials(uses: Uses, fromMs: number): boolean {
  return Object.entries(uses).every(([key, { failedAtMs }]) => failedAtMs < fromMs || failsAlone(uses, key, fromMs));
}
