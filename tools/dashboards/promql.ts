// Pieces of PromQL that the dashboards have in common. They are texts, so that what Grafana shows is what one reads here.

/** Grafana's own: four scrapes or one point of the graph, whichever is more. */
const WINDOW = '$__rate_interval';

/** A selector as text, `{…}` included where there is anything in it. */
const inBraces = (selector: string): string => (selector === '' ? '' : `{${selector}}`);

/** How fast a counter grows, by these labels; a second. */
export function perSecond(counter: string, labels = '', selector = ''): string {
  return `sum${byLabels(labels)}(rate(${counter}${inBraces(selector)}[${WINDOW}]))`;
}

/** How much a counter grew in the time that the dashboard shows. */
export function grown(counter: string, labels = '', selector = ''): string {
  return `sum${byLabels(labels)}(increase(${counter}${inBraces(selector)}[$__range]))`;
}

/** How much a counter grew in the last minutes or hours before each point. */
export function grownIn(window: string, counter: string, labels = '', selector = ''): string {
  return `sum${byLabels(labels)}(increase(${counter}${inBraces(selector)}[${window}]))`;
}

/** A quantile of a histogram (its name without `_bucket`), by these labels. */
export function quantile(q: number, histogram: string, labels = '', selector = ''): string {
  const kept = labels === '' ? 'le' : `le, ${labels}`;
  return `histogram_quantile(${q}, sum by (${kept}) (rate(${histogram}_bucket${inBraces(selector)}[${WINDOW}])))`;
}

/** The mean of a histogram, by these labels. */
export function mean(histogram: string, labels = '', selector = ''): string {
  return `${perSecond(`${histogram}_sum`, labels, selector)} / ${perSecond(`${histogram}_count`, labels, selector)}`;
}

/** Counts of a histogram's buckets, as a heat map wants them. */
export function buckets(histogram: string, selector = ''): string {
  return perSecond(`${histogram}_bucket`, 'le', selector);
}

/** 0 where nothing has happened yet: an operator is to see a zero, not "no data". */
export const orZero = (expr: string): string => `${expr} or on () vector(0)`;

/** The same for figures by a label: `none` at 0 where there is nothing. */
export const orNone = (expr: string, label: string): string => `${expr} or on () label_replace(vector(0), "${label}", "none", "", "")`;

/** Of several replicas that all say the same. */
export const asAnySays = (gauge: string, labels = '', selector = ''): string => `max${byLabels(labels)}(${gauge}${inBraces(selector)})`;

/**
 * A number for the state that each thing is in: 1 for the first of the list, and so on. The gauges are 1 for the state that holds and 0 for the others; where
 * replicas differ for a moment, the last of the list that any of them says wins.
 */
export function stateNumber(gauge: string, labels: string, states: readonly string[], selector = ''): string {
  const more = selector === '' ? '' : `, ${selector}`;
  return `max${byLabels(labels)}(${states.map((state, i) => `${i + 1} * ${gauge}{state="${state}"${more}}`).join(' or ')})`;
}

function byLabels(labels: string): string {
  return labels === '' ? ' ' : ` by (${labels}) `;
}
