import { words } from './phrases.ts';

const alternatives = (...patterns: string[]): string => `(?:${patterns.join('|')})`;

const WHO = '(?:i|we|you|one|someone|a (?:user|customer|person))';
const WAY = "(?:(?:best|right|correct|proper|easiest|simplest|quickest|fastest|safest|recommended|usual|official) )?(?:way|method|procedure|process)";
/** "to cancel", "for cancelling": what is named is done, and is not somebody's own ("the process of my application"). */
const TO = '(?:to |(?:for|of) \\p{L}+ing )';
/** Of "where do I": what one does at a place. Where one lives, works or stands is a fact about the person. */
const DO_SOMEWHERE = alternatives(
  'find', 'go', 'get', 'enter', 'change', 'see', 'look', 'send', 'return', 'click', 'sign', 'log', 'register', 'update', 'download', 'upload', 'report', 'submit', 'check', 'put', 'type', 'add', 'apply', 'pay', 'buy',
  'cancel', 'set', 'turn', 'edit', 'delete', 'view', 'manage', 'request', 'contact', 'complain', 'mail', 'post', 'drop', 'file', 'ask', 'access', 'configure', 'enable', 'disable', 'start',
);

/** How a question about a way to do something begins. */
const OPENING = new RegExp(
  `^${alternatives(
    `how (?:do|does|can|could|would|should) ${WHO} (?!not\\b)`,
    'how to ',
    `what(?: is| are|'s|s) (?:the|a|an) ${WAY} ${TO}`,
    `what(?: are|'re) the steps ${TO}`,
    `what steps (?:do|should|must|can) ${WHO} (?:need to |have to )?(?:take|follow) to `,
    `steps ${TO}`,
    `instructions (?:on how to |${TO})`,
    `(?:can|could|would|will) you (?:please )?(?:tell|show|teach|explain to) (?:me|us) how (?:to |${WHO} (?:can|could|do|should) )`,
    '(?:can|could|would|will) you (?:please )?explain how to ',
    `(?:tell|show|teach) (?:me|us) how (?:to |${WHO} (?:can|could|do|should) )`,
    `explain (?:to (?:me|us) )?how (?:to |(?:do|can|could|should) ${WHO} (?!not\\b)|${WHO} (?:can|could|should) )`,
    'is there (?:a|any|some|an easy|another) way (?:to|for me to|for us to|i can|we can) ',
    `where (?:can|could|should) ${WHO} (?!be\\b|have\\b|live\\b|work\\b)`,
    `where do ${WHO} ${DO_SOMEWHERE} `,
  )}`,
  'iu',
);

/** Said before or after the question, and nothing of it. */
const COURTESY_BEFORE = /^\W*(?:(?:hi|hello|hey|good (?:morning|afternoon|evening)|please|excuse me|sorry)(?: there| all| team)?\s*[,.!:–-]?\s+)+/iu;
const COURTESY_AFTER = /[\s,.!?]*(?:(?:please|thanks|thank you|many thanks|thx|cheers)(?: in advance| a lot| very much| so much)?[\s,.!?]*)*$/iu;

/** Verbs with which "how do I …" asks what somebody is like, or how it came about, not what to do. */
const STATE_VERB = /^(?:(?:even|still|currently|just|ever) )*(?:be|been|have|look(?! (?:up|for|at|into|through|after))|feel|seem|sound|compare|rank|score|stand|owe|know|fare|do(?! (?:it|this|that|a|an|the|my|our)\b)|differ|rate(?! (?:a|an|the|my|our)\b)|qualify\?*$)\b/iu;

/** A second question, or one for a state of affairs inside the first: "how do I find out how much I owe". */
const STATE_INSIDE = words(`
  what|when|where|which|who|whose|whom|why|whether|how (?:much|many|long|soon|often|far|old|big|high|low)|(?:know|tell|see|check|find out|sure|confirm|verify) if|
  am i|are we|is my|are my|was my|were my|is our|are our|did i|did my|do i (?:have|owe|need)|have i|has my|have my|had i|was i|will my|will i|can i|should i|did we|have we`);

/**
 * Whether this asks for a way to do something and for nothing else ("How do I reset my password?", "What is the best way to change my
 * plan?"). Its answer, in the same context and without tools, is the same for whoever asks, "my" or not. Pure. Conservative: one sentence,
 * that begins so, and asks for no state of whoever asks ("How do I know if my parcel was sent?"). `text` has straight apostrophes.
 */
export function isProcedural(text: string): boolean {
  const question = text.replace(COURTESY_BEFORE, '').replace(COURTESY_AFTER, '').replace(/\s+/gu, ' ');
  const opening = OPENING.exec(question)?.[0];
  if (opening === undefined) return false;
  const rest = question.slice(opening.length);
  return !/[.?!;:]\s/u.test(rest) && !STATE_VERB.test(rest) && !STATE_INSIDE.test(rest);
}
