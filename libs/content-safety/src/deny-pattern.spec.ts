import { RE2JS } from 're2js';
import { DenyPattern } from './deny-pattern.ts';
import { ProgramReader, programOf } from './program-reader.ts';
import { Scan, type Span } from './scan.ts';
import { finished } from './work.ts';

/** The same numbers each time (Numerical Recipes' generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ATOMS = ['a', 'b', '.', '\\w', '[^a]', '[b-z]', '(?i:B)', '\\b', '\\B', '^', '$', '(?m:^)', '(?m:$)', '\\n', '😀', 'é', '\\p{L}', '(?s:.)', '\\z', '[^\\n]', '(?:)', '\\d'];
const REPEATS = ['', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,9}?', '{2,}', '{1,40}'];
const TEXTS = ['a', 'b', 'c', 'B', ' ', '\n', '😀', 'é', '\ud83d', '\ude00', '1', '_'];

function pattern(below: (n: number) => number, depth = 0): string {
  const parts = Array.from({ length: 1 + below(3) }, () => {
    const atom = depth < 3 && below(3) === 0 ? `(${pattern(below, depth + 1)})` : (ATOMS[below(ATOMS.length)] ?? 'a');
    return atom + (REPEATS[below(REPEATS.length)] ?? '');
  });
  return below(4) === 0 ? `${parts.join('')}|${depth < 3 ? pattern(below, depth + 1) : 'b'}` : parts.join('');
}

const text = (below: (n: number) => number, length: number): string => Array.from({ length }, () => TEXTS[below(TEXTS.length)] ?? 'a').join('');

function compiled(source: string): RE2JS | null {
  try {
    return RE2JS.compile(source);
  } catch {
    return null; // more repetitions of repetitions than RE2 takes
  }
}

/** What the library says of the whole text at once. */
function libraryFinds(re: RE2JS, of: string, from: number): Span | null {
  const matcher = re.matcher(of);
  return matcher.find(from) ? { start: matcher.start(), end: matcher.end() } : null;
}

test('our own reader finds what the library finds, for made-up patterns and texts', () => {
  const below = numbers(7);
  for (let n = 0; n < 2000; n++) {
    const source = pattern(below);
    const re = compiled(source);
    if (re === null) continue;
    const of = text(below, below(40));
    const from = below(of.length + 1);
    const found = finished(new ProgramReader(programOf(re)).find(new Scan(of, 0, true), from));
    expect({ source, of, from, found }).toEqual({ source, of, from, found: libraryFinds(re, of, from) });
  }
});

const LONG = ['(a|b){1,50}c', '\\b[ab]{1,30}\\b', '(?m)^[^\\n]{0,200}1$', '[ab]{3}', 'c\\z', '\\Aa', '(?i)b{2,60}', 'a[^\\n]{400}b', 'a.*1', '(?s)b.*_', '.b', '[^😀]c', '\\w{1,1000}1', '(a|aab){2,9}?b'];

test.each(LONG)('however a long text is cut into windows, %j finds what it finds in the whole', (source) => {
  const below = numbers(source.length);
  const re = RE2JS.compile(source);
  const own = new DenyPattern(source);
  const block = (): string => text(below, 30).repeat(1 + below(20)) + 'ab'.repeat(below(400)) + (below(2) === 0 ? '\n' : '');
  for (let n = 0; n < 3; n++) {
    const of = Array.from({ length: 12 }, block).join('');
    const [first] = finished(own.findFirst(new Scan(of, 0, true)));
    expect(first ?? null).toEqual(libraryFinds(re, of, 0));
    const all: Span[] = [];
    for (let at = 0; at <= of.length; ) {
      const span = libraryFinds(re, of, at);
      if (span === null) break;
      if (span.end > span.start) all.push(span);
      at = Math.max(span.end, at + 1);
    }
    expect(finished(own.findAll(new Scan(of, 0, true)))).toEqual(all);
  }
});

test.each([['abc', 'abc '], ['(a|b){1,50}c', `${'ab'.repeat(28)}c`]])('where %j matches everywhere, it can be left off between its matches', (source, unit) => {
  const scan = new Scan(unit.repeat(Math.ceil(2 ** 17 / unit.length)), 0, true);
  const work = new DenyPattern(source).findAll(scan);
  for (let before = 0, done: boolean | undefined = false; done !== true; before = scan.steps) {
    done = work.next().done;
    expect(scan.steps - before).toBeLessThan(16_384); // a window is read twice at most, and some matches
  }
});

test.each(['(?i)(a|b){1,50}c', '(a|b){1,200}c', '\\p{L}{1,100}\\d', '(?i)[ab]*a[ab]{100}c', '\\w{1,1000}@', 'a.*b.*c', '(\\w+\\s+){0,30}foo'])('in the middle of a text, %j can be left off at least once in 300,000 steps', (source) => {
  const below = numbers(3);
  const of = `abc1 ${Array.from({ length: 2 ** 16 }, () => 'ab'[below(2)]).join('')}`;
  const own = new DenyPattern(source);
  const scan = new Scan(of, 1, true);
  const work = own.findAll(scan);
  for (let before = 0, done: boolean | undefined = false; done !== true; before = scan.steps) {
    done = work.next().done;
    expect(scan.steps - before).toBeLessThan(300_000);
  }
});
