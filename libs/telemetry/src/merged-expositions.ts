/** Metrics of one process as text, in Prometheus's format or as OpenMetrics. */
export interface Exposition {
  /** Set on every sample as the label `worker`; null: the text names its workers itself. */
  worker: string | null;
  text: string;
}

interface Family {
  type: string;
  /** Its lines of metadata, as the first text has them. */
  metadata: string;
  samples: string;
}

const METADATA = /^# (TYPE|HELP|UNIT) (\S+) ?([^]*)$/;
const EOF = '# EOF';

/**
 * One exposition of several processes that are scraped as one: each metric is described once, and each sample tells by the label `worker` whose it is, so that
 * counters go on rising when one of them starts anew, and nothing is summed that should not be. All texts are of one format, and describe each metric before its
 * samples. A metric that is of another type than in an earlier text is left out. Pure; numbers and exemplars are passed on as they are written.
 */
export function mergedExpositions(expositions: readonly Exposition[]): string {
  const families = new Map<string, Family>();
  for (const { worker, text } of expositions) {
    for (const [name, family] of familiesIn(text, worker)) {
      const known = families.get(name);
      if (known === undefined) families.set(name, family);
      else if (known.type === family.type) known.samples += family.samples;
    }
  }
  const merged = Array.from(families.values(), ({ metadata, samples }) => metadata + samples).join('');
  return expositions.some(({ text }) => text.endsWith(`${EOF}\n`)) ? `${merged}${EOF}\n` : merged;
}

function familiesIn(text: string, worker: string | null): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: Family = { type: '', metadata: '', samples: '' };
  for (const line of text.split('\n')) {
    if (line === '' || line === EOF) continue;
    if (!line.startsWith('#')) {
      current.samples += `${worker === null ? line : labelled(line, worker)}\n`;
      continue;
    }
    const [, keyword, name, rest = ''] = METADATA.exec(line) ?? [];
    if (name === undefined) continue; // a remark
    current = families.get(name) ?? { type: '', metadata: '', samples: '' };
    families.set(name, current);
    current.metadata += `${line}\n`;
    if (keyword === 'TYPE') current.type = rest;
  }
  return families;
}

/** A metric's name has neither a brace nor a blank in it: what comes first of the two says whether there are labels. */
function labelled(sample: string, worker: string): string {
  const at = sample.search(/[{ ]/);
  const label = `worker="${worker}"`;
  if (sample[at] !== '{') return `${sample.slice(0, at)}{${label}}${sample.slice(at)}`;
  return `${sample.slice(0, at + 1)}${label}${sample[at + 1] === '}' ? '' : ','}${sample.slice(at + 1)}`;
}
