import type { Word } from './read-words.ts';

const ONES = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const SMALL = new Map<string, number>([...ONES.map((word, i): [string, number] => [word, i]), ...TENS.map((word, i): [string, number] => [word, 10 * (i + 2)])]);
const LARGE = new Map([['hundred', 100], ['thousand', 1e3], ['million', 1e6], ['billion', 1e9], ['trillion', 1e12]]);
const ORDINALS = new Map('first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth'.split(' ').map((word, i): [string, number] => [word, i + 1]));
ORDINALS.set('thirtieth', 30);
const OTHERS = new Map([['half', '0.5'], ['quarter', '0.25'], ['dozen', '12'], ['twice', '2x'], ['thrice', '3x'], ['noon', '12:00pm'], ['midday', '12:00pm'], ['midnight', '12:00am']]);
const MULTIPLIERS = new Map([['k', 1e3], ['m', 1e6], ['mn', 1e6], ['bn', 1e9], ['b', 1e9]]);

/** Before these words, `one` counts; elsewhere it stands for a person or a thing. */
const NOT_COUNTING = new Set('this that the which another a an every no any each new old other my your his her right wrong same some good bad best only does can could should would if anyone someone'.split(' '));

const UNIT_LIST = `kg=kilogram kilograms kilo kilos kgs|g=gram grams gramme grammes gr|mg=milligram milligrams|lb=pound pounds lbs|oz=ounce ounces|t=tonne tonnes|ton=ton tons|km=kilometer kilometers kilometre kilometres kms|m=meter meters metre metres|cm=centimeter centimeters centimetre centimetres|mm=millimeter millimeters millimetre millimetres|mile=miles mi|yard=yards yd|foot=feet ft|inch=inches|
  l=liter liters litre litres|ml=milliliter milliliters millilitre millilitres|gallon=gallons gal|cup=cups|hour=hours hr hrs h|minute=minutes mins|second=seconds secs sec|ms=millisecond milliseconds|day=days|week=weeks wk wks|month=months|year=years yr yrs|decade=decades|century=centuries|$=dollar dollars usd bucks|€=euro euros eur|£=gbp quid|¥=yen jpy|₹=rupee rupees inr|cent=cents|%=percent percentage|celsius=°c centigrade|fahrenheit=°f|degree=degrees °|
  pint=pints|quart=quarts|tsp=teaspoon teaspoons|tbsp=tablespoon tablespoons|kb=kilobyte kilobytes|mb=megabyte megabytes|gb=gigabyte gigabytes|tb=terabyte terabytes|w=watt watts|kw=kilowatt kilowatts|mw=megawatt megawatts|kwh=kilowatthour|volt=volts v|amp=amps ampere amperes|hz=hertz|mph=|kmh=kph|calorie=calories cal kcal|acre=acres|hectare=hectares|person=people persons|time=times`;
const UNITS = new Map(UNIT_LIST.split('|').flatMap((line): [string, string][] => {
  const [unit = '', names = ''] = line.trim().split('=');
  return [unit, ...names.split(' ')].filter((name) => name !== '').map((name) => [name, unit]);
}));
/** Unit names long enough that a slip in them can be told. */
export const LONG_UNITS: readonly string[] = [...UNITS.keys()].filter((name) => /^[a-z]{5,}$/.test(name) && name !== 'quart' && name !== 'person');
/** Also English words or letters: units only behind a number. */
const AFTER_NUMBER_ONLY = new Set('g m l t w h s c f v b k mi ft gr sec second seconds cup cups amp foot min mins in kb cal gal person people persons time times'.split(' '));
const SHORT_UNITS = new Map([['c', 'celsius'], ['f', 'fahrenheit'], ['s', 'second'], ['min', 'minute'], ['in', 'inch'], ['v', 'volt']]);

/** The unit that a word names, in one spelling; null when it names none. `afterNumber`: it stands right behind a number. */
export function unitOf(word: string, afterNumber: boolean): string | null {
  if (AFTER_NUMBER_ONLY.has(word) && !afterNumber) return null;
  return UNITS.get(word) ?? (afterNumber && word !== 'in' ? SHORT_UNITS.get(word) ?? null : null);
}

export interface NumberRead {
  /** Canonical: `30`, `1.5`, `-5`, `2nd`, `7:00pm`, `2024-05-02`; or a name with digits: `mp3`. */
  value: string;
  /** A unit glued to it: `5kg`. */
  unit: string | null;
  /** How many words it took. */
  length: number;
}

/** Reads the number that begins at word `i`, if any. */
export function readNumber(words: readonly Word[], i: number): NumberRead | null {
  const text = words[i]?.text ?? '';
  if (/\d/.test(text)) return withDayHalf(readDigits(text, words[i + 1]?.text), words, i);
  const other = OTHERS.get(text);
  if (other !== undefined) return { value: other, unit: null, length: 1 };
  const ordinal = ORDINALS.get(text);
  if (ordinal !== undefined && !isSecondOfTime(words, i)) return { value: ordinalOf(ordinal), unit: null, length: 1 };
  return SMALL.has(text) || (LARGE.has(text)) ? withDayHalf(readSpelled(words, i), words, i) : null;
}

const ordinalOf = (n: number): string => `${n}${n % 100 > 10 && n % 100 < 14 ? 'th' : ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'}`;
const isSecondOfTime = (words: readonly Word[], i: number): boolean => words[i]?.text === 'second' && /^(?:per|one|a|\d+)$/.test(words[i - 1]?.text ?? '') && !/^(?:one|time|hand|opinion|chance|card|account)$/.test(words[i + 1]?.text ?? '');

function readDigits(text: string, next: string | undefined): NumberRead {
  const [, digits = text, letters = ''] = /^(-?\d+(?:[.,:/]\d+)*)(\p{L}*)$/u.exec(text) ?? [];
  const plain = digits.replace(/,(?=\d{3}(?:\D|$))/g, '').replace(/^(-?)0+(?=\d+[.,:/])(?!0*[:/])/, '$1');
  if (letters === '') {
    const large = LARGE.get(next ?? '');
    if (large !== undefined && /^[\d.]+$/.test(plain)) return { value: String(Number(plain) * large), unit: null, length: 2 };
    return { value: plain === '1/2' ? '0.5' : plain, unit: null, length: 1 };
  }
  if (/^(?:st|nd|rd|th)$/.test(letters)) return { value: ordinalOf(Number(plain)), unit: null, length: 1 };
  if (/^(?:am|pm)$/.test(letters)) return { value: timeOf(plain, letters), unit: null, length: 1 };
  const unit = unitOf(letters, true);
  if (unit !== null && letters !== 'm') return { value: plain, unit, length: 1 };
  const multiplier = MULTIPLIERS.get(letters);
  if (multiplier !== undefined && letters !== 'b' && letters !== 'm') return { value: String(Number(plain) * multiplier), unit: null, length: 1 };
  return { value: text, unit: null, length: 1 };
}

/** `two hundred and fifty` → 250, `twenty five` → 25; other neighbours are numbers of their own: `two three`. */
function readSpelled(words: readonly Word[], start: number): NumberRead | null {
  if (words[start]?.text === 'one' && !countsOne(words, start)) return null;
  let total = 0;
  let group = 0;
  let last = Infinity;
  let i = start;
  for (; i < words.length; i++) {
    const text = words[i]?.text ?? '';
    const small = SMALL.get(text);
    const large = LARGE.get(text);
    if (small !== undefined && (last >= 100 || (last >= 20 && small < 10 && small > 0))) { group += small; last = small; }
    else if (large !== undefined && large === 100) { group = Math.max(1, group) * 100; last = 100; }
    else if (large !== undefined) { total += Math.max(1, group) * large; group = 0; last = large; }
    else if (!(text === 'and' && last >= 100 && last < Infinity && SMALL.has(words[i + 1]?.text ?? ''))) break;
  }
  const ordinal = ORDINALS.get(words[i]?.text ?? '');
  if (ordinal !== undefined && ordinal < 10 && group % 100 >= 20 && group % 10 === 0) return { value: ordinalOf(total + group + ordinal), unit: null, length: i - start + 1 };
  return i === start ? null : { value: String(total + group), unit: null, length: i - start };
}

function countsOne(words: readonly Word[], i: number): boolean {
  const next = words[i + 1]?.text;
  const before = words[i - 1]?.text ?? '';
  if (LARGE.has(next ?? '')) return true;
  return !NOT_COUNTING.has(before) && next !== 'of' && !(next === undefined && before !== 'for' && before !== 'number') && !/^(?:is|are|was|can|do|does|should|would|with|that|which|who|to|in|on|at|for|from|and|or|more)$/.test(next ?? '');
}

/** 7 am, 7.30 pm, seven in the morning stays seven. */
function withDayHalf(read: NumberRead | null, words: readonly Word[], i: number): NumberRead | null {
  if (read === null || read.unit !== null) return read;
  const next = words[i + read.length]?.text;
  if ((next === 'am' || next === 'pm') && /^\d{1,2}(?:[:.]\d{2})?$/.test(read.value)) return { value: timeOf(read.value, next), unit: null, length: read.length + 1 };
  return read;
}

const timeOf = (clock: string, half: string): string => {
  const [hours = '', minutes = '00'] = clock.split(/[:.]/);
  return `${hours}:${minutes}${half}`;
};
