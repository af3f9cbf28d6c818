/** A run of decimal digits: [start, end). */
export interface DigitGroup {
  start: number;
  end: number;
}

/** One class, repeated: linear in any engine, and in this one it is the fastest way past what is no digit. */
const DIGITS = /[0-9]+/g;

export function digitGroups(text: string, from: number): DigitGroup[] {
  const groups: DigitGroup[] = [];
  DIGITS.lastIndex = from;
  while (DIGITS.test(text)) {
    const end = DIGITS.lastIndex;
    let start = end - 1;
    while (start > from && isDigit(text.charCodeAt(start - 1))) start--;
    groups.push({ start, end });
  }
  return groups;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** A row of groups and what stands between them. */
export interface DigitRow {
  start: number;
  end: number;
  digits: string;
  /** The groups' lengths with what stands between: `3-3-4`. A no-break space is written as a space. */
  shape: string;
  /** Index of the last group. */
  last: number;
}

export interface RowLimits {
  separators: ReadonlySet<string>;
  maxGroups: number;
  minDigits: number;
  maxDigits: number;
}

const LONGEST_SEPARATOR = 2;

/**
 * The rows that begin with group `first`, longest first: at most `maxGroups` groups of together `minDigits` to `maxDigits` digits, each
 * separated from the next by one of `separators`. At most `maxGroups` steps, whatever the text.
 */
export function rowsFrom(text: string, groups: DigitGroup[], first: number, limits: RowLimits): DigitRow[] {
  const reach = reachOf(groups, first, limits);
  const head = groups[first];
  if (reach < first || !head) return [];
  const rows: DigitRow[] = [];
  let digits = '';
  let shape = '';
  let end = head.start;
  for (let last = first; last <= reach; last++) {
    const group = groups[last];
    if (!group) break;
    if (last > first) {
      const between = text.slice(end, group.start).replaceAll('\u00a0', ' ');
      if (!limits.separators.has(between)) break;
      shape += between;
    }
    digits += text.slice(group.start, group.end);
    shape += group.end - group.start;
    end = group.end;
    if (digits.length >= limits.minDigits) rows.unshift({ start: head.start, end, digits, shape, last });
  }
  return rows;
}

/** The last group that a row from `first` can have by places alone; less than `first` when it cannot have enough digits. Rows are rare: this is what most numbers cost. */
function reachOf(groups: DigitGroup[], first: number, { maxGroups, minDigits, maxDigits }: RowLimits): number {
  let count = 0;
  let last = first;
  for (; last < first + maxGroups; last++) {
    const group = groups[last];
    if (!group) break;
    const before = groups[last - 1];
    if (last > first && before && group.start - before.end > LONGEST_SEPARATOR) break;
    if (count + group.end - group.start > maxDigits) break;
    count += group.end - group.start;
  }
  return count < minDigits ? first - 1 : last - 1;
}
