import { anyOf, phrases } from './phrases.ts';

/** How a turn begins that goes on with the one before. */
const OPENING = "^\\W*(?:(?:and|but|or|also|then|so|now|ok|okay|yes|no|yeah|it|its|it's|that|that's|those|these|this|they|them|he|she|him|her|his|their|same|again|continue|more|another|instead|otherwise|neither|both|which one|what about|how about|why not|what else|anything else|the (?:first|second|third|last|next|previous|other|former|latter|same|above)(?: one)?)(?![\\p{L}\\p{N}'])|(?:go on|keep going|try again)\\b)";

/** Words of asking and of grammar: where only these stand before a pronoun, it stands for nothing that is said here. */
const REQUEST = `(?:${[
  'a|an|the|to|for|of|in|into|on|at|with|from|by|about|as|like|than|and|or|not|just|only|then|now|so|also|even|really|exactly|please|kindly|ok|okay|hi|hello|hey|thanks|sorry|is|are|was|were|be|been|do|does|did|has|have|had|can|could|will|would|should|may|might|must',
  'i|me|we|us|you|who|whom|whose|what|when|where|why|how|which|long|much|many|often|far|come|there|let|lets|want|need|tell|give|show|explain|describe|elaborate|expand|write|rewrite|rephrase|reword|translate|summari[sz]e|shorten|simplify|correct|fix|improve|change|convert|repeat|say|read|make|try|use|put|turn|take|get|go|finish|check|mean|means',
  'more|less|some|all|one|bit|little|example|examples|detail|details|reason|reasons|rest|name|kind|sort|part|version|list|think|know|happened|wrong|right',
].join('|')})`;

/** "Is it safe to eat snow?", "Why is it cold in winter?": an "it" that stands for nothing. */
const EMPTY_IT = "(?<=(?:is|was|does|did|will|would|can|could|has) it)(?= (?:(?!(?:do|go|work|look|come|belong|relate|apply|compare|lead|add|connect|have)\\b)[^.?!]{1,300}? (?:to|that|when|if)\\b|(?:so )?(?:called|cold|hot|warm|dark|windy|humid|rain\\p{L}*|snow\\p{L}*)\\b))";
const PRONOUN = `(?:it(?:'s|self)?(?!${EMPTY_IT})|its|they|them|their|theirs|he|him|his|she|her|hers|that|those|these|this(?! (?:second|minute|hour|morning|afternoon|evening|night|week|weekend|month|quarter|year|season|decade|monday|tuesday|wednesday|thursday|friday|saturday|sunday|city|town|country|place|area|region|address)\\b)|again|another(?! (?:name|word|term|way|method)\\b)|different|the (?:other|others|former|latter|rest|above)|(?:do|try|repeat|want|make|give|show|write|say|get|need) (?:(?:me|us) )?the same|the same (?:for|with|again|thing|but))`;
const WITHOUT_ANTECEDENT = `^[^\\p{L}\\p{N}]*(?:${REQUEST}[^\\p{L}\\p{N}'-]+)*(?<![\\p{L}\\p{N}'-])${PRONOUN}(?![\\p{L}\\p{N}'])`;

/** What was said before, by its place. */
const BEFORE = phrases(`
  (?:like|as|than|same as) (?:before|last time|the last one|the previous one)|once more|one more time|another one|a different one|different ones|(?:the|your|my) (?:last|previous|first|earlier) (?:one|ones|answer|reply|response|message|question|point|example)|tell me more\\W*$|
  (?:do|try|repeat) the same|why (?:so|not|that|this)\\W*$`);

/** What stands for something that is not said here. */
export const ANAPHORIC = anyOf(OPENING, WITHOUT_ANTECEDENT, BEFORE);
