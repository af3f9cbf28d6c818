/** A line of a histogram, counter or gauge as a strict reader of OpenMetrics 1.0 takes it. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
  exemplar: { labels: Record<string, string>; value: number; timestamp: number } | null;
}

export interface ParsedFamily {
  type: string;
  help: string | null;
  unit: string | null;
  samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`;
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const LABELS = String.raw`\{(?:${LABEL}(?:,${LABEL})*)?\}`;
const SAMPLE = new RegExp(String.raw`^(${NAME})(${LABELS})? (${NUMBER})(?: # (${LABELS}) (${NUMBER}) (\d+(?:\.\d+)?))?$`);
const METADATA = new RegExp(String.raw`^# (TYPE|UNIT|HELP) (${NAME}) ([^]*)$`);
const SUFFIXES: Record<string, string[]> = { counter: ['_total'], gauge: [''], histogram: ['_bucket', '_count', '_sum'] };

/**
 * For tests: families by name; throws where a text breaks a rule of https://prometheus.io/docs/specs/om/open_metrics_spec/ that concerns counters,
 * gauges and histograms. Written from the specification's grammar, to judge the writer by something other than itself.
 */
export function parseOpenMetrics(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('# EOF\n')) throw new Error('no # EOF at the end');
  const families = new Map<string, ParsedFamily>();
  let current: [name: string, family: ParsedFamily] | null = null;
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const metadata = METADATA.exec(line);
    if (metadata !== null) {
      const [, keyword = '', name = '', rest = ''] = metadata;
      if (current?.[0] !== name) {
        if (families.has(name)) throw new Error(`interleaved or repeated: ${line}`);
        current = [name, { type: 'unknown', help: null, unit: null, samples: [] }];
        families.set(...current);
      }
      describeFamily(current[1], keyword, name, rest);
      continue;
    }
    if (current === null) throw new Error(`a sample without a family: ${line}`);
    current[1].samples.push(sampleOf(line, ...current));
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  const seen = new Set<string>();
  for (const { name, labels } of Array.from(families.values()).flatMap(({ samples }) => samples)) {
    const series = `${name} ${seriesOf(labels)}`;
    if (seen.has(series)) throw new Error(`twice: ${series}`);
    seen.add(series);
  }
  return families;
}

function describeFamily(family: ParsedFamily, keyword: string, name: string, rest: string): void {
  if (family.samples.length > 0) throw new Error(`metadata after samples: ${name}`);
  if (keyword === 'TYPE') {
    if (!(rest in SUFFIXES)) throw new Error(`type ${rest}`);
    if (rest === 'counter' && name.endsWith('_total')) throw new Error(`a family of counters named _total: ${name}`);
    family.type = rest;
  } else if (keyword === 'UNIT') {
    if (!name.endsWith(`_${rest}`)) throw new Error(`a unit that is not in the name: ${name} ${rest}`);
    family.unit = rest;
  } else {
    if (!/^(?:[^"\\]|\\["\\n])*$/.test(rest)) throw new Error(`help is not escaped: ${rest}`);
    family.help = unescaped(rest);
  }
}

function sampleOf(line: string, familyName: string, family: ParsedFamily): Sample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = '', labels, value = '', exemplarLabels, exemplarValue = '', timestamp = ''] = match;
  if (!SUFFIXES[family.type]?.some((suffix) => name === familyName + suffix)) throw new Error(`not of ${family.type} ${familyName}: ${line}`);
  if (exemplarLabels !== undefined && !name.endsWith('_bucket') && !name.endsWith('_total')) throw new Error(`an exemplar where none may be: ${line}`);
  const exemplar = exemplarLabels === undefined ? null : { labels: labelsOf(exemplarLabels), value: numberOf(exemplarValue), timestamp: Number(timestamp) };
  if (exemplar !== null && Object.entries(exemplar.labels).flat().join('').length > 128) throw new Error(`an exemplar of more than 128 characters: ${line}`);
  return { name, labels: labelsOf(labels ?? '{}'), value: numberOf(value), exemplar };
}

function checkHistogram(name: string, { samples }: ParsedFamily): void {
  const bySeries = Map.groupBy(samples, ({ labels }) => seriesOf({ ...labels, le: '' }));
  for (const [series, of] of bySeries) {
    const buckets = of.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => numberOf(labels['le'] ?? ''));
    if (bounds.at(-1) !== Infinity) throw new Error(`no bucket +Inf: ${series}`);
    if (bounds.some((bound, i) => i > 0 && bound <= (bounds[i - 1] ?? 0))) throw new Error(`bounds do not rise: ${series}`);
    if (buckets.some(({ labels }) => !/[.e]|^\+Inf$/.test(labels['le'] ?? ''))) throw new Error(`a bound that is no canonical number: ${series}`);
    if (buckets.some(({ value }, i) => i > 0 && value < (buckets[i - 1]?.value ?? 0))) throw new Error(`counts fall: ${series}`);
    if (of.find((sample) => sample.name === `${name}_count`)?.value !== buckets.at(-1)?.value) throw new Error(`count is not the last bucket: ${series}`);
    for (const [i, { exemplar }] of buckets.entries()) {
      if (exemplar !== null && !(exemplar.value <= (bounds[i] ?? 0) && exemplar.value > (bounds[i - 1] ?? -Infinity))) throw new Error(`an exemplar outside its bucket: ${series}`);
    }
  }
}

/** The same text for the same labels, whatever their order. */
export function seriesOf(labels: Record<string, string>): string {
  return Object.entries(labels).map((label) => JSON.stringify(label)).toSorted().join();
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\\n]|\\["\\n])*)"/g)) {
    if (name in labels) throw new Error(`a label twice: ${text}`);
    labels[name] = unescaped(value);
  }
  return labels;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}
