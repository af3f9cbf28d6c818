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
/** Medicines, dishes, software, sports and inventions that are younger than both sources, or too rare for them: one letter from `crypto` is `crypt`. */
const NEWER_WORDS = `abilify acai accutane activemq adware affogato aiohttp airsoft airtag algolia altcoin alteryx ambien americano amlodipine aperol apixaban arancini archaea arepa aripiprazole asyncio atomoxetine autophagy axios backend backorder betamethasone bibimbap bisacodyl
  bisoprolol bitrate bloatware blockchain bluetooth boba bokeh brexit budesonide buildah bulgogi buprenorphine bupropion burpee burrata candesartan captcha carpool carshare cashback catboost celexa cetirizine ceviche chai chargeback checkbox chia chromebook churro
  ciabatta circleci citalopram clarithromycin clickhouse clindamycin clonazepam clopidogrel clotrimazole cockroachdb codec coffeescript colab concerta conda coronavirus cortado couchsurfing covid craigslist crestor crispr crossfit crypto cryptocurrency cymbalta dabigatran
  dagster deadlift deno depop devops dextromethorphan diclofenac dosa downpayment downvote doxxing doxylamine dropdown duckdb dulaglutide duloxetine duolingo dutasteride ebike edamame effexor elasticsearch eliquis elote emacs emoji empanada epigenetic escitalopram
  escooter esomeprazole eszopiclone eurail ewallet exoplanet farro fastapi fastify favicon fexofenadine ffmpeg fibromyalgia filebeat fillers finasteride fintech fitbit fivetran flexitarian fluconazole fluticasone focaccia fortnite framerate frontend fsharp fullstack
  garmin gatsby gensim geocaching gitops glamping globalentry gochujang gofundme goji gradio gradle grammarly graphene graphql grindr guaifenesin gumtree gyoza halloumi harissa hashtag hexene hoverboard huggingface hyaluronic hydrocodone imagemagick indiegogo influencer
  influxdb intellij invisalign isotretinoin istio jquery junit jupyter juul kahoot kanban kefir keto kettlebell kibana kickboxing kickstarter kimchi kivy klonopin knime kombucha kubectl labneh laksa lamotrigine langchain letrozole levetiracetam levofloxacin levothyroxine
  lexapro lightgbm liraglutide lisdexamfetamine livestream lodash logstash longboard loperamide loratadine losartan macaron macchiato magnetar malware manjaro masala matcha matlab matplotlib meilisearch meloxicam memecoin mercari metabase methylprednisolone microbiome
  minecraft minikube mirin mirtazapine mlops mochi mockito mockup mojito monkeypox montelukast mounjaro mysqldump navbar nduja negroni neobank neovim newrelic nexium niacinamide norovirus nuxt oauth ocaml offboarding okcupid okonomiyaki olanzapine ollama onboarding
  ondansetron onigiri onlyfans opencv openrouter opensearch opsgenie oseltamivir overwatch oxycodone paddleboard padel pagerduty pakora paleo pancetta paneer panko pantoprazole paratha parkour paroxetine passphrase patreon paxlovid paystub paywall peloton pentane pentene
  phishing phosphide phosphite pickleball pilates pipenv plotly podman ponzu poshmark powerbi powershell pozole prebiotic pregabalin preorder propranolol prosecco protobuf pulumi pycharm pydantic pygame pylint quetiapine quinoa quizlet rabbitmq ramen ransomware recaptcha
  regex remortgage repost retweet rideshare risperidone ristretto rivaroxaban roblox rollbar rosuvastatin roti salbutamol salmeterol saltstack satay schengen scilab screenshare screenshot seaborn seitan selfie semaglutide seroquel shawarma shein simethicone sitagliptin
  sitemap sklearn skyr smishing soba spirulina sqlalchemy sriracha stablecoin staycation storyboard strattera strava streamlit suboxone subreddit substack sulfite superset synthroid tagine takoyaki tamiflu taquito telehealth telemedicine tempeh temu tiotropium tirzepatide
  tkinter tonkatsu tooltip topiramate tramadol tretinoin trulicity udon umami unfollow unfriend upvote valacyclovir valorant vape vaping venlafaxine victoza vinted virtualenv vishing vitest vlog vlogger vscode vyper vyvanse warzone wayfair webhook websocket webstorm
  wellbutrin wireframe xarelto xcode xgboost zaatar zelda zeromq zika zipkin zolpidem zumba`;
for (const newer of `${BRANDS} ${NEWER_WORDS}`.split(/\s+/)) if (isOneWord(newer) && !words.has(newer)) word(newer).capitalised = false;

/** WordNet's first sense is not what prompts mean by them, or the difference matters there (maternity and pregnancy leave, fiscal and financial year). */
const WITHOUT_SYNONYMS = new Set(`after later before earlier off forth any whatever going being main chief principal central fundamental cardinal round circular someone person individual district territory older elderly mary madonna author pretty fairly
  financial fiscal larger bigger fort garrison mike mick mickey iii trinity trey purpose intention candidate nominee semi animal creature beast fleet swift christmas noel thou plus asset duty responsibility poetry verse philosophy doctrine johnny rebel lord creator almighty
  matthew levi profit earnings carlos sanchez salim metro subway mac mack holiday vacation minimum minimal maximum maximal dawn aurora sunrise guardian defender protector respond react murphy potato prisoner captive package bundle subsidiary subordinate bike motorcycle
  abraham ibrahim prey quarry coup takeover baronet bart nationalist patriot configuration constellation integral inherent custody detention salary wage renovation redevelopment researcher investigator employ utilize competitor challenger contender whale hulk slaughter butcher
  fortunately apparatus setup panther jaguar mutant mutation prophet oracle health wellness food nutrient hospital infirmary movie pic jean denim partner spouse harry chevy extra redundant criminal crook console soothe cape ness summit meridian
  mystery enigma leaf foliage inn hostel chocolate cocoa athlete jock recreation diversion canton fairy fay faerie pastor rector curate priority precedence pregnancy maternity carpet rug wizard superstar frog toad static motionless cologne archer bowman terrace patio
  controller accountant void null android humanoid assassin bravo trademark hallmark moose elk batter buffet primate prelate prep homework booklet folder pamphlet therapist healer listener auditor viewer spectator sensor detector recruit enroll elf imp cottage bungalow
  argyle leger ledger mute unspoken hazard jeopardy muse ponder bohemian romani mummy mommy lifetime lifespan cub rookie uncover reveal owner proprietor knockout lulu casket coffin fireplace hearth sarcasm irony satire compulsory buddy sidekick`.split(/\s+/));

const partsOf = (entry: Word): string[] => [...entry.senses.keys()].sort((a, b) => (entry.count.get(b) ?? 0) - (entry.count.get(a) ?? 0) || (entry.senses.get(b)?.length ?? 0) - (entry.senses.get(a)?.length ?? 0));
const safeSets = (spelled: string, entry: Word): string[] => {
  if (WITHOUT_SYNONYMS.has(spelled)) return [];
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
const safe = numbersOf(all.map(([spelled, entry]) => safeSets(spelled, entry)));
const nouns = numbersOf(all.map(([, entry]) => [...nounSets(entry), ...hypernyms(entry)]));
const text = all.map(([spelled, entry]) => [
  spelled,
  partsOf(entry).join('') + (entry.capitalised && entry.senses.size > 0 ? 'P' : '') + (isPerson(entry) ? 'H' : ''),
  [...entry.bases].join(','),
  numbered(safeSets(spelled, entry), safe),
  numbered(nounSets(entry), nouns),
  numbered(hypernyms(entry), nouns),
  [...entry.antonyms].join(','),
].join('\t').trimEnd()).join('\n');

const packed = gzipSync(text, { level: 9 });
writeFileSync(new URL('lexicon.txt.gz', import.meta.url), packed);
writeFileSync(new URL('manifest.json', import.meta.url), `${JSON.stringify({
  id: 'lexicon',
  version: 2,
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
