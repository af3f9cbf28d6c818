/** A wildcard address is for listening; this one is for asking. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** What that app says is missing; empty when it is ready. */
export async function whyNotReady(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const text = await answer.text();
    return answer.ok ? '' : text.trim() || `it answers ${answer.status}`;
  } catch {
    return 'it does not answer'; // not listening yet
  }
}
