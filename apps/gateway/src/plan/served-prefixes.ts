/** How long providers keep a prompt cached that nobody asks for (OpenAI, "Prompt caching": 5 to 10 minutes; Anthropic: 5). */
const KEPT_MS = 5 * 60_000;
const MOST = 10_000;

interface Served {
  deployment: string;
  promptTokens: number;
  atMs: number;
}

/** Which deployment has seen the beginning of a conversation lately, and how much of it. By this gateway alone; bounded. */
export class ServedPrefixes {
  private readonly served = new Map<string, Served>();

  remember(affinityKey: string, deployment: string, promptTokens: number, nowMs: number): void {
    this.served.delete(affinityKey); // a map keeps the order of insertion: the oldest is the first to go
    this.served.set(affinityKey, { deployment, promptTokens, atMs: nowMs });
    for (const oldest of this.served.keys()) {
      if (this.served.size <= MOST) break;
      this.served.delete(oldest);
    }
  }

  /** Tokens of this prompt that the deployment may be expected to read from its cache; 0 when nothing is known. */
  cachedTokens(affinityKey: string | null, deployment: string, promptTokens: number, nowMs: number): number {
    const known = affinityKey === null ? undefined : this.served.get(affinityKey);
    if (known === undefined || known.deployment !== deployment || nowMs - known.atMs > KEPT_MS) return 0;
    return Math.min(known.promptTokens, promptTokens);
  }
}
