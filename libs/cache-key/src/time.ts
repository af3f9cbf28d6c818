import { anyOf, phrases } from './phrases.ts';

/** Up to three words between an article and its noun ("the new French"). Bounded, so that matching stays linear. */
const ADJECTIVES = "(?:[\\p{L}\\p{N}][\\p{L}\\p{N}'.-]* ){0,3}?";
const CURRENCY = '(?:dollars?|euros?|pounds?(?: sterling)?|yen|yuan|renminbi|rupees?|francs?|pesos?|rubles?|roubles?|liras?|krona|kroner?|zloty|won|reais|usd|eur|gbp|jpy|cny|inr|chf|cad|aud)';
const TRADED = `(?:bitcoins?|btc|ethereum|ether|eth|crypto\\p{L}*|dogecoin|solana|gold|silver|platinum|copper|(?:crude )?oil|brent|(?:natural )?gas|gasoline|petrol|diesel|electricity|wheat|${ADJECTIVES}(?:stocks?|shares?)|${CURRENCY})`;
const OFFICE = '(?:(?:vice[- ])?president|prime minister|premier|chancellor|ceo|cfo|cto|chief executive(?: officer)?|chair(?:man|woman|person)?|head of (?:state|government)|king|queen|monarch|emperor|pope|archbishop|mayor|governor|senators?|minister|secretary(?: of \\p{L}+| general)?|speaker|ambassador|leader|head coach|coach|manager|captain|director|champions?|record holder|owner)';
const EVENT = "(?:eclipse|election|elections|olympics|olympic games|world cup|super bowl|game|match|race|full moon|new moon|holiday|bank holiday|leap year|concert|meeting|train|bus|flight|release|version|update|episode|season|launch|sale|deadline|conference|meteor shower|comet|grand prix|tournament|final|draw)";
/** Feasts whose date is another each year. */
const MOVABLE = "(?:easter|good friday|thanksgiving|ramadan|eid|passover|hanukkah|diwali|lent|pentecost|(?:chinese|lunar) new year|(?:mother|father)'?s'? day|labou?r day|memorial day|black friday|daylight saving)";
const SPAN = '(?:time|long|seconds?|minutes?|hours?|days?|nights?|weeks?|weekends?|months?|years?|sleeps)';

const SAID = `
  today|today's|tonight|tomorrow|yesterday|now|nowadays|current|currently|latest|newest|recent|recently|lately|upcoming|ago|so far|
  at the moment|at present|up to date|as of|just (?:now|happened|announced|released)|breaking|news|
  (?:this|last|next|past|previous|coming) (?:second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|quarter|year|season|decade|monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?|
  what (?:time|day|date|year) is it|the (?:time|date)|still|yet|weather|forecast`;

/** "how many days until Christmas", "days left". */
const DISTANCE = `
  ${SPAN} (?:are |is )?(?:there )?(?:left|remaining|remain|until|till|til|to go|since)|(?:many|much) ${SPAN} (?:has|have) (?:it been|passed)|countdown|
  ${SPAN} (?:before|to) (?:the (?:end|deadline|election|olympics|holidays)|christmas|xmas|new year|halloween|summer|autumn|winter|spring|${MOVABLE})`;

/** "the price of bitcoin", "exchange rate of dollar to euro". What an exchange rate is, is always the same. */
const MARKET = `
  (?:prices?|value|worth|cost) of (?:a |an |the |one |\\d+ )?${TRADED}|${TRADED} (?:prices?|value|worth|exchange rate)|how much (?:is|are|does|do) (?:a |an |the |one |\\d+ )?${TRADED}(?: cost| worth)?|
  (?:stock|share|spot|market|fuel|house) prices?|market cap(?:itali[sz]ation)? of|exchange rates? (?:of|from|between|for|to)|(?:the|today's) exchange rate|
  the (?:interest|mortgage|inflation|unemployment|base) rate|(?:dow jones|nasdaq|s&p 500|ftse 100)|net worth`;

const EVENTS = `
  (?:when|where|who)(?:'s| is| are| will| does| do)(?: be)? (?:the )?${ADJECTIVES}next|next ${ADJECTIVES}${EVENT}|(?:when|what day|what date)(?:'s| is| are) (?:the )?${ADJECTIVES}(?:${EVENT}|${MOVABLE})|
  (?:when|what time)(?: does| do| will| is| are|'s)(?! it\\b) [^.?!]{1,80}? (?:ends?|start|begin|expires?|open|close|finish|launch|arrive|ship|due|come out|released?|over|available|happen|resume|leave|depart)`;
const OPEN = "^\\W*(?:is|are) [^.?!]{1,80} (?:open|closed|down|available|in stock|sold out|still on)\\W*$";

/** Of a year that is named, the result is known once and for all. */
const RESULTS = `${phrases("scores? (?:of|in|for) (?:the|a|an)|(?:the|final) score|who(?:'s| is| are) (?:winning|leading|ahead|playing)|what(?:'s| is) the score")}|^(?![^\\n]*\\d{4})\\W*${phrases(`who (?:won|wins|lost) (?:the )?${ADJECTIVES}(?:${EVENT}|championship|league|cup|title)`)}`;

/** Who holds an office, and how old somebody is, are true for a while; who was the first is true for good. */
const HOLDERS = `
  who(?:'s| is| are)(?: the)? ${ADJECTIVES}${OFFICE}|(?:name|names) of (?:the )?${ADJECTIVES}${OFFICE}|who (?:runs|leads|governs|rules|heads|owns|coaches|chairs)|who(?:'s| is) in charge|
  who(?:'s| is| are) the (?:world's )?(?:richest|wealthiest|oldest|youngest|tallest|fastest|best paid|most \\p{L}+)|world record|
  how old(?:'s| is| are)(?! (?:the|an?|it)\\b)|\\p{L}+'s age`;

/** Whatever is true at one time only. */
export const TIME = anyOf(phrases(SAID, DISTANCE, MARKET, EVENTS, HOLDERS), OPEN, RESULTS, `^\\W*(?:the )?(?:${OFFICE}) of `);

/** What one currency is in another. How to convert one is always the same. */
export const CONVERSION = anyOf(phrases(`(?:${CURRENCY}) (?:to|in|into|vs|versus|against|is|are) (?:a |an |the |one |\\d+ )?(?:${CURRENCY})|how many ${CURRENCY} (?:is|are|for|in|to)`));
