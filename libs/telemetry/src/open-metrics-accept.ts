interface MediaRange {
  type: string;
  version: string | undefined;
  /** 0 to 1 */
  q: number;
}

/**
 * Whether an `accept` header (RFC 9110, 12.5.1) asks for OpenMetrics 1.0 rather than Prometheus's text format. It has to name it: whoever takes anything gets
 * the older form, which everything reads. Where both are as welcome, OpenMetrics, because it says more.
 */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const ranges = accept.split(',').map(mediaRange);
  const best = (isMeant: (range: MediaRange) => boolean): number | undefined => {
    const meant = ranges.filter(isMeant).map(({ q }) => q);
    return meant.length === 0 ? undefined : Math.max(...meant);
  };
  const openMetrics = best(({ type, version }) => type === 'application/openmetrics-text' && (version ?? '1.0.0') === '1.0.0') ?? 0;
  // The most specific range decides, not the best.
  const text = best(({ type, version }) => type === 'text/plain' && (version ?? '0.0.4') === '0.0.4') ?? best(({ type }) => type === 'text/*') ?? best(({ type }) => type === '*/*') ?? 0;
  return openMetrics > 0 && openMetrics >= text;
}

function mediaRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = new Map(parameters.map((parameter) => {
    const at = parameter.indexOf('=');
    return [parameter.slice(0, Math.max(0, at)).trim(), parameter.slice(at + 1).trim().replace(/^"(.*)"$/, '$1')] as const;
  }));
  const q = given.get('q') ?? '1';
  return { type, version: given.get('version'), q: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 0 };
}
