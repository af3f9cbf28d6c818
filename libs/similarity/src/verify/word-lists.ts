/** What small words and everyday words of English do to the meaning of a prompt. Lists are parted by blanks or `|`. */
const set = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter((each) => each !== ''));

/** Says nothing that another wording would not leave out. */
export const FREE = set(`a an the is are was were be been being am do does did done has had having there it its itself  please really so then too also actually basically simply properly exactly
  any some that oh ok okay kindly thanks maybe perhaps`);
export const BE = set('is are was were be been being am');
/** Of these the form of the past is that of the base. */
export const UNCHANGING_VERBS = set('cut put hit shut hurt let set beat read bet cast split spread quit');
export const NEGATIONS = set('not no never none nobody nothing neither nor without cannot nowhere hardly barely except unless lacking minus excluding avoid avoids avoiding avoided prevent prevents preventing prevented');
export const QUESTIONS = set('what why how when where who whom whose which');
export const MODALS: ReadonlyMap<string, string> = new Map([['can', 'can'], ['could', 'can'], ['may', 'can'], ['might', 'can'], ['should', 'should'], ['must', 'must'], ['ought', 'should'], ['required', 'must'], ['shall', 'should'], ['will', 'will'], ['would', 'would']]);
export const PAST_AUXILIARIES = set('was were did had');
export const FIRST_PERSON = set('i me we us myself ourselves');
/** To whom it is done. */
export const OBJECTS = set('me us myself ourselves');
export const SECOND_PERSON = set('you yourself');
export const MY = set('my mine our ours');
export const YOUR = set('your yours');
export const THIRD_PERSON = set('he she him her hers his they them their theirs someone somebody everyone everybody anyone anybody himself herself themselves others');

/** Of these, whoever it may be: alone they restrict nothing. */
export const SOMEBODY = set('someone somebody everyone everybody anyone anybody');

/** Prepositions that say which way round: never left out, never swapped. */
export const PREPOSITIONS = set(`of in on at for to from with by into onto before after over under above below between through during until till since against toward towards across around near behind via per within as like than about
  upon along beyond among besides despite instead_of because_of such_as according_to inside outside out_of towards if while because whether although though once`);
/** Of these, each class means much the same in front of the same word. */
export const SOFT_PREPOSITIONS: ReadonlyMap<string, string> = new Map([['of', 'of'], ['for', 'of'], ['in', 'at'], ['on', 'at'], ['at', 'at'], ['upon', 'at'], ['till', 'until'], ['towards', 'toward'], ['via', 'by'], ['into', 'to'], ['onto', 'to']]);
export const PARTICLES = set('off up down out back away');
/** After these, `on`, `in` and `over` are part of the verb. */
export const VERBS_WITH_PARTICLE = set('turn switch put keep leave power come go take carry hang hold move pass');

/** Restrict what is asked about; two different ones never mean the same. */
export const QUANTIFIERS: ReadonlyMap<string, string> = new Map(`all=all every=all each=all everything=all both=both some=some most=most least=least first=1st last=last latest=latest newest=latest next=next previous=previous prior=previous more=more less=less fewer=less only=only solely=only many=many few=few several=several half=half
  at_least=at_least at_most=at_most more_than=more_than less_than=less_than just=just very=very quite=quite minimum=minimum maximum=maximum enough=enough worst=worst another=another other=other same=same either=either neither=neither main=main still=still again=again already=already yet=yet always=always sometimes=sometimes usually=usually often=often rarely=rarely even=even this=this these=this those=those almost=almost now=now anymore=anymore not_only=not_only used_to=used_to instead=instead per=per ever=ever`.split(/\s+/).map((each): [string, string] => {
  const [word = '', meaning = ''] = each.split('=');
  return [word, meaning];
}));
/** Two of one group contradict each other. */
export const QUANTIFIER_GROUPS: readonly ReadonlySet<string>[] = [
  set('all every some most none both half several many few either neither enough'), set('1st last latest next previous this other another same main'), set('more less at_least at_most more_than less_than minimum maximum least most worst'),
  set('always sometimes usually often rarely almost'), set('still already yet anymore again now used_to'), set('only not_only even'),
];
/** Of these, one alone already makes another request. */
export const STRONG_QUANTIFIERS = set('most least 1st last latest next previous only at_least at_most more_than less_than minimum maximum half both less instead worst too');
/** Of these it matters what they stand before; the others may stand anywhere: "I still can", "can I still". */
export const ANCHORED_QUANTIFIERS = set('all both some most least last latest next previous more less only many few several half another other same either main this those minimum maximum worst');

const antonymPairs = `on off|open close|open shut|start stop|start end|start finish|begin end|begin finish|enable disable|add remove|add delete|add subtract|create delete|increase decrease|increase reduce|increase lower|raise lower|raise reduce|raise cut|grow shrink|buy sell|purchase sell|send receive|send get|accept reject|accept decline|accept refuse|approve decline|approve reject|approve deny|allow forbid|allow block|allow prevent|allow deny|permit forbid|include exclude|
  enter leave|enter exit|arrive depart|arrive leave|arrival departure|import export|upload download|login logout|signup cancel|connect disconnect|install uninstall|install remove|activate deactivate|activate disable|activate cancel|lock unlock|mute unmute|subscribe unsubscribe|subscribe cancel|freeze unfreeze|freeze thaw|block unblock|zip unzip|hide show|hide display|push pull|win lose|pass fail|succeed fail|success failure|save spend|save delete|save waste|borrow lend|deposit withdraw|deposit withdrawal|
  book cancel|order cancel|renew cancel|keep cancel|keep delete|keep remove|up down|in out|before after|above below|over under|with without|inside outside|indoor outdoor|indoors outdoors|more less|more fewer|most least|maximum minimum|high low|higher lower|highest lowest|best worst|good bad|better worse|hot cold|warm cool|warm cold|fast slow|faster slower|fastest slowest|quick slow|cheap expensive|cheaper pricier|cheapest priciest|early late|earlier later|earliest latest|first last|
  old new|old young|older newer|older younger|oldest newest|oldest youngest|big small|bigger smaller|biggest smallest|large small|larger smaller|largest smallest|long short|longer shorter|longest shortest|tall short|taller shorter|tallest shortest|heavy light|heavier lighter|thick thin|wide narrow|deep shallow|near far|nearest farthest|nearest furthest|closest farthest|strong weak|hard easy|hard soft|difficult easy|safe dangerous|safe unsafe|legal illegal|healthy unhealthy|possible impossible|
  public private|internal external|left right|north south|east west|northern southern|eastern western|male female|man woman|boy girl|men women|husband wife|mother father|mom dad|brother sister|son daughter|uncle aunt|king queen|adult child|adult kid|parent child|inbound outbound|incoming outgoing|outgoing ingoing|domestic international|domestic foreign|local remote|local global|national international|single double|single multiple|single married|married divorced|full empty|full partial|full half|whole half|whole part|
  always never|all none|everyone nobody|advantage disadvantage|pro con|pros cons|benefit risk|benefit drawback|benefit disadvantage|strength weakness|upside downside|profit loss|gain loss|credit debit|income expense|revenue cost|asset liability|buy rent|buy lease|rent own|upper lower|top bottom|front back|input output|encode decode|encrypt decrypt|compress decompress|serialize deserialize|serial parallel|sync async|synchronous asynchronous|read write|ascending descending|positive negative|odd even|gain lose|morning evening|breakfast dinner|breakfast lunch|lunch dinner|
  day night|weekday weekend|summer winter|spring autumn|spring fall|sunrise sunset|yesterday tomorrow|today tomorrow|today yesterday|past future|this next|next last|next previous|daily weekly|refundable nonrefundable|paid free|paid unpaid|required optional|mandatory optional|temporary permanent|personal business|personal corporate|private corporate|employee employer|buyer seller|landlord tenant|teacher student|doctor patient|sender recipient|sender receiver|borrower lender|winner loser|question answer|problem solution|cause effect|cause cure|cause prevent|cause symptom|
  symptom treatment|theory practice|supply demand|attack defend|attack defense|offense defense|love hate|like dislike|like hate|agree disagree|true false|right wrong|correct incorrect|correct wrong|valid invalid|active passive|active inactive|visible invisible|online offline|virtual physical|digital physical|digital analog|manual automatic|automatic manually|manually automatically|vegetarian meat|smoking nonsmoking|rich poor|wet dry|clean dirty|light dark|bright dim|dark bright|loud quiet|loud silent|noisy quiet|alive dead|live die|birth death|born die|wake sleep|
  happy sad|hire fire|employ dismiss|build destroy|build demolish|create destroy|attach detach|merge split|join leave|join split|expand collapse|expand shrink|zoom shrink|fold unfold|load unload|pack unpack|wrap unwrap|dress undress|remember forget|find lose|gather scatter|give take|give receive|lead follow|question statement|ask answer|rise fall|rise drop|come go|bring take|appear disappear|entrance exit|entry exit|import delete|follow unfollow|friend enemy|friend unfriend|pin unpin|archive unarchive|archive restore|delete restore|delete recover|remove restore|undo redo|pause resume|
  play pause|play stop|start pause|stop continue|stop resume|opt_in opt_out|checkin checkout|pickup dropoff|pickup delivery|takeaway delivery|departing arriving|boarding landing|takeoff landing|ceiling floor|beginner expert|beginner advanced|basic advanced|junior senior|novice expert|simple complex|simple complicated|raw cooked|fresh frozen|fresh stale|sweet sour|mild spicy|liquid solid|acid base|minor major|minority majority|maximum minimal|maximise minimise|maximize minimize|simplify complicate|tighten loosen|widen narrow|lengthen shorten|strengthen weaken|heat cool|fill empty|lose gain|
  withdrawal deposit|urban rural|ancient modern|native foreign|formal informal|literal figurative|singular plural|vertical horizontal|row column|client server|frontend backend|producer consumer|plaintiff defendant|guest host|predator prey|debtor creditor|cold heat|reward punishment|reward penalty|war peace|ally enemy|victory defeat|ahead behind|plus minus|multiply divide|odd even|question reply|inhale exhale|ascend descend|include omit|accelerate brake|accelerate decelerate|speed slow|prepaid postpaid|fixed variable|gross net|pre post|hourly daily|hourly monthly|monthly yearly|weekly monthly`;
/** Words of which one is all but always the other here: the same for `synonym`. */
const synonymGroups = `buy purchase|start begin|delete remove erase|car automobile auto|movie film|picture photo photograph image|show display|fix repair|big large huge|small little|quick fast rapid speedy|quickly fast rapidly|cost price|error mistake|client customer|kid child|doctor physician|require need|allow permit|receive obtain|modify alter|help assist|assistance help|answer reply respond|choose select|several few|near nearby close|approximately about roughly around|
  locate find|setup configure|broken faulty|shop store|shut close|home house|end finish|cheap inexpensive affordable|expensive costly pricey|important crucial|method way|route path|trip journey|garbage trash rubbish|couch sofa|lift elevator|flat apartment|mobile cellphone|attorney lawyer|bike bicycle|plane airplane aeroplane|mom mum mother|dad father|schedule timetable|pain ache|ill sick|happy glad|sad unhappy|talk speak|tell inform|explain describe|create make|gift present|street road|pupil student|
  cancel terminate|terminate end|stop quit|verify confirm|submit send|reservation booking|reserve book|refund reimbursement|reimburse refund|money funds|bill invoice|fee charge|salary wage|employee worker|boss manager|package parcel|postcode zipcode|dinner supper|cab taxi|petrol gasoline|
  luggage baggage|meal dish|starter appetizer|medicine medication|exam test|homework assignment|song track|tune song|music songs|volume loudness|joke gag|tale story|cease stop|fire dismiss|reduce decrease lower lessen|increase boost|enable activate|disable deactivate|maybe perhaps|rapidly quickly|
  total sum|request ask|question query|issue problem|trouble problem|difficulty problem|advantage upside pro|disadvantage drawback downside con|supply provide|provide give|offer provide|buddy friend|correct right|incorrect wrong|wonderful great|excellent great|awful terrible|easy simple|difficult hard|company firm|begin commence|discover find|permitted allowed|forbidden prohibited|essential necessary|needed required necessary`;
/** The same only beside one of the words behind the colon (an address is changed or updated, a tyre is changed), or with `!` beside none of them. */
const synonymsBesides = `change update:address email number password passwords name card detail details profile picture photo information billing payment username bio contact|change modify:booking reservation order setting settings|change alter:booking reservation order setting settings|pick choose:seat plan option color colour size topic restaurant hotel gift name|pick select:seat plan option color colour size topic restaurant hotel gift name|
  receive get:refund visa passport certificate email code message notification invoice receipt copy discount permit license licence loan confirmation|obtain get:refund visa passport certificate email code message notification invoice receipt copy discount permit license licence loan confirmation|contact reach:support service team agent customer sales helpdesk|switch turn:on off|raise increase:limit price rate salary volume temperature|view see:history statement balance invoice bill schedule calendar profile setting settings transaction message|
  advantage benefit:!employee worker employer company job work unemployment offer receive|purchase order:online ticket pizza item product|holiday vacation:beach abroad|wash clean:window dish car`;
/** Easily taken for one another, and never the same. */
const confusedGroups = `affect effect|principal principle|stationary stationery|complement compliment|council counsel|allusion illusion|averse adverse|elicit illicit|discreet discrete|lose loose|desert dessert|meteor meteorite|imply infer|yen yuan|lend borrow loan|teach learn|allergy intolerance|astrology astronomy|vegan vegetarian|toxic nontoxic|emigrate immigrate|immigrant emigrant|weather climate|speed velocity|mass weight|ethanol methanol|
  cause consequence symptom treatment|diagnose treat cure prevent|lost stolen|cancelled delayed|cancel delay|jointly separately|minimum average|average highest|average lowest|average maximum|restart reload|amend revert|accept send|edit delete|archive delete|insert remove|print scan|covered excluded|cover exclude|before during|after during|make use|produce consume|please thank thanks hello hi sorry goodbye welcome congratulations|found find|fell fall|lay lie|wound wind|ground grind|bound bind|saw see|left leave`;
const siblingGroups = `visa mastercard amex|android ios iphone|windows mac macos linux|java python javascript typescript rust kotlin golang ruby php|excel word powerpoint|mysql postgres postgresql sqlite oracle mongodb redis|chrome firefox safari edge|uber lyft|dhl fedex ups usps|netflix spotify hulu|facebook twitter instagram tiktok linkedin|aws azure gcp|docker kubernetes|github gitlab bitbucket|csv json xml yaml pdf html|savings checking|credit debit|business economy|gold silver|android iphone|gmail outlook|zoom teams slack|usb hdmi|bitcoin ethereum|celsius fahrenheit|dog cat|tea coffee|wine beer|chicken beef pork|bus train plane|email sms|men women children|breakfast lunch dinner|cash card|monday tuesday`;
const spellingPairs = `color colour|center centre|favorite favourite|gray grey|check cheque|catalog catalogue|program programme|license licence|practice practise|theater theatre|meter metre|liter litre|kilometer kilometre|jewelry jewellery|tire tyre|traveling travelling|traveler traveller|canceling cancelling|canceled cancelled|canceler canceller|dialog dialogue|neighbor neighbour|neighborhood neighbourhood|behavior behaviour|labor labour|honor honour|humor humour|flavor flavour|harbor harbour|rumor rumour|vapor vapour|defense defence|offense offence|aluminum aluminium|airplane aeroplane|donut doughnut|yogurt yoghurt|omelet omelette|mustache moustache|pajamas pyjamas|plow plough|skeptical sceptical|fulfill fulfil|enroll enrol|enrollment enrolment|installment instalment|install instal|skillful skilful|judgment judgement|acknowledgment acknowledgement|aging ageing|mom mum|math maths|okay ok|e-mail email|learned learnt|burned burnt|dreamed dreamt|spelled spelt|spilled spilt|while whilst|among amongst|toward towards|percent percent|til till|thru through|tonite tonight|nite night|lite light|donut doughnut|inquiry enquiry|disk disc|analyze analyse|paralyze paralyse|catalyze catalyse|organization organisation|encyclopedia encyclopaedia|pediatric paediatric|gynecologist gynaecologist|anesthesia anaesthesia|leukemia leukaemia|diarrhea diarrhoea|esophagus oesophagus|fetus foetus|estrogen oestrogen|orthopedic orthopaedic|maneuver manoeuvre|cozy cosy|curb kerb|gage gauge|glamor glamour|mold mould|molt moult|smolder smoulder|specialty speciality|sulfur sulphur|woolen woollen|counselor counsellor|modeling modelling|labeled labelled|labeling labelling|signaling signalling|fueled fuelled|leveled levelled|jeweler jeweller|marvelous marvellous|dueling duelling|snorkeling snorkelling|unraveled unravelled|pretense pretence|ax axe|artifact artefact|ton tonne`;

/** Pairs of words, found by the first: most words are in none, which is seen at once. */
class Pairs<V> {
  private readonly byFirst = new Map<string, Map<string, V>>();

  set(a: string, b: string, value: V): void {
    const seconds = this.byFirst.get(a) ?? new Map<string, V>();
    this.byFirst.set(a, seconds.set(b, value));
  }

  get(a: string, b: string): V | undefined {
    return this.byFirst.get(a)?.get(b);
  }

  has(a: string, b: string): boolean {
    return this.get(a, b) !== undefined;
  }
}

/** Every ordered pair of words that stand in one group. */
function pairs(groups: string): Pairs<true> {
  const found = new Pairs<true>();
  for (const group of groups.split('|')) {
    const words = group.trim().split(' ');
    for (const a of words) for (const b of words) if (a !== b) found.set(a, b, true);
  }
  return found;
}
export const ANTONYMS = pairs(antonymPairs);
export const SYNONYMS = pairs(synonymGroups);
/** For pairs of words: the words beside which they are synonyms, or with `not` those beside which they are not. */
export const SYNONYMS_BESIDE = new Pairs<{ not: boolean; words: ReadonlySet<string> }>();
for (const line of synonymsBesides.split('|')) {
  const [group = '', beside = ''] = line.trim().split(':');
  const words = group.split(' ');
  for (const a of words) for (const b of words) if (a !== b) SYNONYMS_BESIDE.set(a, b, { not: beside.startsWith('!'), words: set(beside.replace('!', '')) });
}
export const SIBLINGS = pairs(`${siblingGroups}|${confusedGroups}`);
export const SPELLINGS = pairs(spellingPairs);

/** In a text with these every letter of the other words counts. */
export const LETTERS = set(`syllable syllables translate translation translated spell spelling spelled spelt pronounce pronunciation pronounced synonym synonyms antonym antonyms rhyme rhymes word words say acronym abbreviation stand stands etymology plural singular conjugate conjugation typo letters anagram misspelled idiom`);
/** In a text with these, one word is not as good as another that means nearly the same. */
export const MENTIONS: ReadonlySet<string> = new Set([...LETTERS, ...set('define definition meaning mean means meant difference differences versus vs called named compare comparison letter')]);
/** Making one for the asker and telling how it is made are two answers. */
export const MAKING = set('write draft compose create make generate design translate summarize summarise rewrite paraphrase plan build develop prepare explain describe calculate compute convert solve find list get give tell send code draw invent suggest recommend');
/** Words that as a name are another thing, for who writes capitals. */
export const NAMES_TOO = set('mercury polish china turkey nice reading bath mobile job lent march august may bill mark frank rose lily daisy grace hope faith jack pat sue will rob drew dean earl guy miles chuck art ray rich max victor hunter cooper baker cook smith potter king prince bishop pope mars jersey cork split cologne phoenix buffalo orlando jordan chad cuba mali georgia java python ruby rust swift go scala word excel access teams slack outlook edge safari windows shell target gap orange apple amazon oracle visa signal square zoom');
/** One more of these is said of anything, or names what is asked for anyway. */
export const EMPTY_ADDITIONS = set('good great new here much way dear assistant method place get possible valid number distance depth height length amount rule step thing stuff please team support bot work');
/** Plurals that are another thing than one of them. */
export const PLURALS_OF_THEIR_OWN = set('glasses contents customs arms damages spirits manners minutes goods securities proceeds premises belongings earnings winnings briefs odds lodgings surroundings');
/** Little words of languages that pass for Latin script; none is an English word. */
export const FOREIGN = set(`der das und nicht ist ich wie kann wird einen eine einem einer mein meine mit auf für ein sie wir sind wo warum bitte von zu zum zur auch oder aber dass wenn nach über heute morgen 
 el una unos unas que qué cómo como puedo donde dónde cuál cual cuánto cuando cuándo por para mi mis tu sus está estoy tengo quiero es y del les une sont comment pourquoi quel quelle où est-ce je vous nous ma votre dans avec et ou pas ne puis peux elle che posso dove perché perche quanto quando gli della del di mio mia
 não nao você voce meu minha onde quero como posso het een ik je hoe kan mijn niet wat waar waarom voor jag inte är hur kan jak się nie czy gdzie`);
