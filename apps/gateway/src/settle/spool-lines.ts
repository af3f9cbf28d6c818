import type { OpenOperation, UsageEvent } from '@deja/contracts';
import type { AcceptedCount } from './accepted.ts';

/** What the spool keeps of an operation or a shadow. */
export type SpoolEntry = OpenOperation | UsageEvent;
export type SpoolLine = SpoolEntry | AcceptedCount;

/** What an entry is about. A late attempt stands for itself, and never in place of its operation. */
export const lineId = (line: SpoolEntry): string => (line.kind === 'late_attempt' ? line.attempt.id : line.id);

/** What a spool file holds. */
export interface SpoolContent {
  /** In the order in which they were written, with later lines about the same in place of earlier ones. */
  entries: SpoolEntry[];
  /** The last count of each quarter. */
  accepted: AcceptedCount[];
  /** Lines that nobody can read: what was being written when the power went, or the disk was full. */
  unreadable: number;
}

export const spoolText = (lines: readonly SpoolLine[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/** Reads a spool file. What is no line of it is left out and counted. */
export function readSpool(text: string): SpoolContent {
  const byId = new Map<string, SpoolEntry>();
  const accepted = new Map<number, AcceptedCount>();
  let unreadable = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const parsed = parsedLine(line);
    if (parsed === null) unreadable += 1;
    else if (parsed.kind === 'accepted') {
      if ((accepted.get(parsed.quarterMs)?.operations ?? 0) < parsed.operations) accepted.set(parsed.quarterMs, parsed);
    } else {
      const id = lineId(parsed);
      if (byId.get(id)?.kind !== 'settled') byId.set(id, parsed);
    }
  }
  return { entries: [...byId.values()], accepted: [...accepted.values()], unreadable };
}

function parsedLine(line: string): SpoolLine | null {
  try {
    const parsed = JSON.parse(line) as SpoolLine | null;
    if (parsed === null || typeof parsed.kind !== 'string') return null;
    if (parsed.kind === 'accepted') return typeof parsed.quarterMs === 'number' && typeof parsed.operations === 'number' ? parsed : null;
    return typeof lineId(parsed) === 'string' ? parsed : null;
  } catch {
    return null;
  }
}
