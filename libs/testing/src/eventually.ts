/** Resolves with what `look` finds as soon as it is not false, null or undefined; rejects when a look that began after the deadline found nothing, saying `what` it waited for. */
export async function eventually<T>(what: string, look: () => T | Promise<T>, deadlineMs = 15_000): Promise<NonNullable<Exclude<T, false>>> {
  const untilMs = performance.now() + deadlineMs;
  for (;;) {
    const begunMs = performance.now();
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen as NonNullable<Exclude<T, false>>;
    if (begunMs > untilMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
