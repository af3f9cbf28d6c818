/** Does `round` now and every `everyMs`, one at a time; what it rejects with goes to `failed`. `stop` resolves when the one under way is done. */
export function inRounds(everyMs: number, round: () => Promise<void>, failed: (error: unknown) => void): { stop(): Promise<void> } {
  let underWay: Promise<void> | null = null;
  const begin = (): void => {
    underWay ??= round().catch(failed).finally(() => {
      underWay = null;
    });
  };
  begin();
  const timer = setInterval(begin, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
    },
  };
}
