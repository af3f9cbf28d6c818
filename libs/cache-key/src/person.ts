import { anyOf, phrases } from './phrases.ts';

/** Before a numeral, not a pronoun: "World War I", "type I". */
const NUMERAL = '(?<!\\b(?:war|type|phase|stage|class|chapter|part|level|category|grade|volume|act|book|section|article|title|elizabeth|charles|james|william|richard|edward|henry|george|napoleon|francis|nicholas|alexander|peter|frederick|wilhelm|leopold|philip|paul) )';

const SAID = phrases(`
  my|mine|myself|our|ours|ourselves|i'm|im|i've|i'd|i'll|about me|for me|we are|we're|we have|we've|we were|we will|we'll|for us|about us|your|yours|yourself`);

/** "can I", "how much do I owe"; "if I", but not of anybody's case: "what happens if I …". */
const ASKED = phrases('(?:am|was|do|did|can|could|should|would|will|may|might|must|shall|have|had|have|do(?:n\'t)|ca(?:n\'t)) i|(?<!what happens )(?:if|when) i|(?:whether|what|that|where|which|because|since|before|after|while|until|how|why|everything|all|things) i');
const TOLD = `${NUMERAL}${phrases('i (?:am|was|have|had|will|want|need|live|work|works|bought|buy|ordered|order|paid|pay|got|get|feel|owe|owed|owes|spent|spend|earn|earned|own|owned|use|used|sent|send|received|returned|booked|signed|subscribed|cancelled|canceled|lost|forgot|made|saved|said|asked|think|like|love|eat|ate|can|could|should|would(?! like to (?:know|ask))|must|may)')}`;
const OURS = phrases('(?:did|do|have|can|should|may|will) we (?:owe|pay|paid|spend|spent|order|ordered|earn|earned|buy|bought|get)|we (?:owe|paid|spent|ordered|earned|bought)');

const BELONGING = "(?:shopping )?(?:calendar|schedule|agenda|inbox|mailbox|cart|basket|account|order|orders|ticket|tickets|parcel|package|delivery|shipment|refund|payment|invoice|bill|balance|appointment|appointments|meeting|reservation|booking|subscription|to-do list|todo list|wish ?list|shopping list)";
/** "What's on the calendar?", "Where is the order?": that of whoever asks. Not "the order of the planets", "the refund policy". */
const CONTENT = anyOf(
  phrases(`what(?:'s| is| are)(?: there)? (?:on|in) the ${BELONGING}(?! of\\b)|(?:on|in|of|for|from|with|about) the ${BELONGING}`) + '(?=\\W*$)',
  phrases(`what(?:'s| is| are)(?: there)? (?:on|in) the ${BELONGING}(?! of\\b)`),
  phrases(`(?:where|when|how|why)(?:'s| is| are| was| were| has| did| will| does) the ${BELONGING}`) + "(?=\\W*$| (?:is|was|be|been|arriv\\p{L}+|com(?:e|ing)|ship\\p{L}*|sent|delivered|deliver|start\\p{L}*|go(?:ing)?|late|delayed|empty|locked|blocked|declined|cancel\\p{L}+|not|due)\\b)",
  `^\\W*(?:is|are|was|were|has|have|did|will) the ${BELONGING}(?= (?!of\\b|policy|process|button|page))`,
  phrases(`(?:show|list|read|check|open|track|cancel|summari[sz]e|empty|update)(?: me| us)? the ${BELONGING}`) + '(?=\\W*$)',
).source;

/** Whatever depends on who asks, where no way to do something is asked for. */
export const PERSON = anyOf(SAID, ASKED, TOLD, OURS, CONTENT);

/** What was said before, and who answers: a way to do something is never meant by these. */
export const TALK = anyOf(
  phrases("know me|remember me|who are you|you said|you told|you mentioned|you remember|you recall|earlier|above|previously|(?:did|have) (?:i|we|you) (?:just |already |ever )?(?:say|said|discuss|discussed|talk|talked|speak|spoken|mention|mentioned|agree|agreed|decide|decided|ask|asked|tell|told|write|written|chat|chatted)|we (?:discussed|talked|spoke|agreed|decided|chatted|mentioned|said)|i (?:said|told|asked|mentioned)"),
);
