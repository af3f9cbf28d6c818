// Builds lexicon.txt.gz and its manifest from WordNet 3.0 and the vocabulary of the static embedder:
// `node models/lexicon/build.ts [folder of WordNet]`, by default Debian's package `wordnet-base`.
//
// The file, gzipped text: one line a word, columns parted by tabs:
//   word · parts of speech, the commonest first, then P where it is only ever a name, H where it commonly is a person · base forms where irregular ·
//   synonym sets (first sense, few senses) · sets of its first noun senses · hypernyms of these · antonyms
// Sets are numbers to base 36; only those that two words share are kept.
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** A word with more senses than this in its part of speech has no safe synonym. */
const MAX_SENSES_FOR_SYNONYM = 3;
/** Rarer noun senses than these say too little about what a word means in a prompt. */
const NOUN_SENSES = 3;
const POS = { noun: 'n', verb: 'v', adj: 'a', adv: 'r' } as const;

interface Synset { words: string[]; hypernyms: string[]; antonyms: [word: string, synset: string, index: number][] }
interface Word { senses: Map<string, string[]>; count: Map<string, number>; bases: Set<string>; capitalised: boolean; antonyms: Set<string> }

const folder = process.argv[2] ?? '/usr/share/wordnet';
const lines = (file: string): string[] => readFileSync(`${folder}/${file}`, 'latin1').split('\n').filter((line) => line !== '' && !line.startsWith(' '));
const isOneWord = (lemma: string): boolean => /^[a-z]{2,}$/.test(lemma);

const synsets = new Map<string, Synset>();
const words = new Map<string, Word>();

function word(text: string): Word {
  let entry = words.get(text);
  if (entry === undefined) words.set(text, entry = { senses: new Map(), count: new Map(), bases: new Set(), capitalised: true, antonyms: new Set() });
  return entry;
}

/** Format: wndb(5WN), "offset lex_filenum ss_type w_cnt word lex_id … p_cnt pointer_symbol offset pos source/target …". */
function readSynsets(part: keyof typeof POS): void {
  for (const line of lines(`data.${part}`)) {
    const fields = line.split(' | ', 1)[0]?.split(' ') ?? [];
    const count = Number.parseInt(fields[3] ?? '0', 16);
    const spelled = Array.from({ length: count }, (_, i) => (fields[4 + 2 * i] ?? '').replace(/\(.*$/, ''));
    const synset: Synset = { words: spelled.map((each) => each.toLowerCase()), hypernyms: [], antonyms: [] };
    for (const each of spelled) if (isOneWord(each)) word(each).capitalised = false;
    const pointers = 4 + 2 * count;
    for (let i = 0; i < Number(fields[pointers]); i++) {
      const [symbol, offset, pos, sourceTarget] = fields.slice(pointers + 1 + 4 * i, pointers + 5 + 4 * i);
      const target = `${pos?.replace('s', 'a')}${offset}`;
      if (symbol === '@' || symbol === '@i') synset.hypernyms.push(target);
      const source = synset.words[Number.parseInt(sourceTarget?.slice(0, 2) ?? '', 16) - 1];
      if (symbol === '!' && source !== undefined) synset.antonyms.push([source, target, Number.parseInt(sourceTarget?.slice(2) ?? '', 16) - 1]);
    }
    synsets.set(`${POS[part]}${fields[0]}`, synset);
  }
}

/** "lemma pos synset_cnt p_cnt … sense_cnt tagsense_cnt offset …": the offsets stand in order of frequency. */
function readIndex(part: keyof typeof POS): void {
  for (const line of lines(`index.${part}`)) {
    const fields = line.trim().split(' ');
    const [lemma, , senses] = fields;
    if (lemma === undefined || !isOneWord(lemma)) continue;
    word(lemma).senses.set(POS[part], fields.slice(-Number(senses)).map((offset) => POS[part] + offset));
  }
}

function readCounts(): void {
  for (const line of lines('cntlist.rev')) {
    const [key = '', , count] = line.split(' ');
    const [lemma = '', rest = ''] = key.split('%');
    const pos = 'nvar'['1234'.indexOf(rest[0]?.replace('5', '3') ?? '')];
    const entry = words.get(lemma);
    if (entry !== undefined && pos !== undefined) entry.count.set(pos, (entry.count.get(pos) ?? 0) + Number(count));
  }
}

for (const part of ['noun', 'verb', 'adj', 'adv'] as const) { readSynsets(part); readIndex(part); }
readCounts();
for (const part of ['noun', 'verb']) {
  for (const line of lines(`${part}.exc`)) {
    const [form = '', base = ''] = line.split(' ');
    if (isOneWord(form) && words.has(base) && form !== base) word(form).bases.add(base);
  }
}
for (const { antonyms } of synsets.values()) {
  for (const [source, target, index] of antonyms) {
    const opposite = synsets.get(target)?.words[index];
    if (opposite !== undefined && isOneWord(source) && isOneWord(opposite)) word(source).antonyms.add(opposite);
  }
}
const fromWordNet = words.size;
for (const piece of readFileSync(new URL('../static-256/vocab.txt', import.meta.url), 'utf8').split('\n')) if (isOneWord(piece) && !words.has(piece)) word(piece).capitalised = false;

/** Names of products and firms that neither source has: small, they must not pass for slips of other words. */
const BRANDS = `canva figma asana trello zapier shopify etsy paypal venmo zelle klarna revolut monzo wise stripe plaid coinbase binance robinhood airbnb expedia booking uber lyft doordash grubhub deliveroo instacart tiktok snapchat instagram whatsapp telegram
  discord reddit quora pinterest tumblr linkedin twitch spotify hulu netflix disney paramount deezer tidal kindle audible roku chromecast alexa siri cortana github gitlab bitbucket jira confluence slack notion miro airtable clickup dropbox onedrive sharepoint gmail
  outlook hotmail icloud imessage facetime skype webex hubspot salesforce zendesk intercom mailchimp sendgrid twilio docusign quickbooks xero netsuite workday docker kubernetes terraform ansible jenkins grafana prometheus datadog splunk kafka redis mongodb postgres postgresql
  mysql mariadb sqlite cassandra dynamodb snowflake databricks bigquery redshift supabase firebase vercel netlify heroku cloudflare nginx apache kotlin golang rust scala clojure elixir erlang haskell julia dart flutter django flask laravel symfony rails nextjs nestjs
  angular svelte vue react redux webpack vite eslint pytest numpy scipy pandas pytorch tensorflow keras ubuntu debian fedora centos kali macos ios ipados watchos android chromeos linux iphone ipad macbook airpods samsung huawei xiaomi oneplus nokia asus acer lenovo dell
  ikea lidl aldi tesco asda sainsbury costco walmart walgreens cvs zara nike adidas reebok asos primark sephora fedex dhl usps hermes ryanair easyjet lufthansa emirates ozempic wegovy tylenol ibuprofen paracetamol advil motrin benadryl zyrtec claritin xanax adderall
  bitcoin ethereum litecoin dogecoin solana cardano tether chatgpt openai anthropic mistral gemini copilot midjourney`;
for (const brand of BRANDS.split(/\s+/)) if (isOneWord(brand) && !words.has(brand)) word(brand).capitalised = false;

const partsOf = (entry: Word): string[] => [...entry.senses.keys()].sort((a, b) => (entry.count.get(b) ?? 0) - (entry.count.get(a) ?? 0) || (entry.senses.get(b)?.length ?? 0) - (entry.senses.get(a)?.length ?? 0));
const safeSets = (entry: Word): string[] => {
  const senses = entry.senses.get(partsOf(entry)[0] ?? '') ?? [];
  return senses.length > 0 && senses.length <= MAX_SENSES_FOR_SYNONYM ? senses.slice(0, 1) : [];
};
const nounSets = (entry: Word): string[] => (entry.senses.get('n') ?? []).slice(0, NOUN_SENSES);
const hypernyms = (entry: Word): string[] => [...new Set(nounSets(entry).flatMap((sense) => synsets.get(sense)?.hypernyms ?? []))];

const PERSON = 'n00007846';
/** Is the set, or one above it, that of persons? */
function isKindOfPerson(set: string | undefined): boolean {
  return set !== undefined && (set === PERSON || (synsets.get(set)?.hypernyms ?? []).some((above) => above !== set && isKindOfPerson(above)));
}
const isPerson = (entry: Word): boolean => !entry.capitalised && isKindOfPerson(entry.senses.get('n')?.[0]);

/** Numbers for the sets that at least two words share, the most shared first; others tell nothing. */
function numbersOf(sets: Iterable<string[]>): Map<string, string> {
  const shared = new Map<string, number>();
  for (const each of sets) for (const set of each) shared.set(set, (shared.get(set) ?? 0) + 1);
  const kept = [...shared].filter(([, n]) => n > 1).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return new Map(kept.map(([set], i) => [set, i.toString(36)]));
}
const numbered = (sets: string[], numbers: Map<string, string>): string => sets.map((set) => numbers.get(set)).filter((n) => n !== undefined).join(',');

const all = [...words].sort(([a], [b]) => (a < b ? -1 : 1));
const safe = numbersOf(all.map(([, entry]) => safeSets(entry)));
const nouns = numbersOf(all.map(([, entry]) => [...nounSets(entry), ...hypernyms(entry)]));
const text = all.map(([spelled, entry]) => [
  spelled,
  partsOf(entry).join('') + (entry.capitalised && entry.senses.size > 0 ? 'P' : '') + (isPerson(entry) ? 'H' : ''),
  [...entry.bases].join(','),
  numbered(safeSets(entry), safe),
  numbered(nounSets(entry), nouns),
  numbered(hypernyms(entry), nouns),
  [...entry.antonyms].join(','),
].join('\t').trimEnd()).join('\n');

const packed = gzipSync(text, { level: 9 });
writeFileSync(new URL('lexicon.txt.gz', import.meta.url), packed);
writeFileSync(new URL('manifest.json', import.meta.url), `${JSON.stringify({
  id: 'lexicon',
  version: 1,
  description: 'What English words exist and how they relate: parts of speech, irregular forms, synonyms, kinds of the same, opposites.',
  language: 'en',
  file: { file: 'lexicon.txt.gz', bytes: packed.length, sha256: hash('sha256', packed, 'hex') },
  counts: { words: all.length, fromWordNet, synonymSets: safe.size, nounSets: nouns.size, withAntonym: all.filter(([, entry]) => entry.antonyms.size > 0).length, irregular: all.filter(([, entry]) => entry.bases.size > 0).length },
  sources: [
    { name: 'WordNet 3.0', publisher: 'Princeton University', package: 'wordnet-base (Debian)', licence: 'WordNet 3.0, see LICENSE-WordNet', use: 'words, parts of speech, irregular forms, synonyms, hypernyms, antonyms' },
    { name: 'vocabulary of models/static-256', licence: 'Apache-2.0', use: 'words that WordNet lacks, so that they are not taken for typing errors' },
  ],
  build: 'node models/lexicon/build.ts',
}, null, 2)}\n`);
console.log(`${all.length} words, ${(packed.length / 1e6).toFixed(2)} MB packed, ${(text.length / 1e6).toFixed(2)} MB open`);
