import { anyOf, phrases } from './phrases.ts';

const MAKE = '(?:generate|create|make(?: up)?|give|pick|choose|select|suggest|propose|invent|think of|come up with|produce|need|want|draw|guess|say)';
const TELL = "(?:tell|write|compose|create|make(?: up)?|give|sing|recite|draft|invent|come up with|generate|share|say|read|do|know|need|want|hear)";
const TO_WHOM = '(?: (?:me|us))?';
/** Indefinite: "the story of Cinderella" is one story. */
const ANY = '(?: (?:a|an|any|some|one|another|your|\\d+|two|three|four|five|six|ten|several|few|more))?';
const ADJECTIVES = "(?: (?!the\\b|of\\b|about\\b|for\\b|from\\b|to\\b)[\\p{L}\\p{N}][\\p{L}\\p{N}'-]*){0,5}?";
const SECRET = '(?:passwords?|passphrases?|passcodes?|pin(?: code| number)?s?|uuids?|guids?|tokens?|keys?|secrets?|salts?|nonces?|hash(?:es)?|user ?names?|nicknames?|codes?|otp)';
const CHOSEN = '(?:numbers?|names?|words?|letters?|colou?rs?|cards?|animals?)';
const WORK = "(?:jokes?|puns?|poems?|poetry|story|stories|tales?|fairy tales?|haikus?|limericks?|sonnets?|ballads?|songs?|lyrics|raps?|rhymes?|riddles?|tongue twisters?|slogans?|taglines?|fun facts?|quotes?|compliments?|icebreakers?|pick-?up lines?)";

/**
 * What is wanted anew each time it is asked for: chance, secrets that must not be another's, and works that people ask for again to get
 * another one.
 */
export const RANDOM = anyOf(
  phrases(
    `random(?:ly|ness)?(?! (?:variables?|forests?|access|walks?|effects?|sampl\\p{L}+|errors?|process(?:es)?|search|house|number generators?|graphs?|matri\\p{L}+|assignment|mutations?))|at random|
    rolls? (?:a |an |the |one |two |three |some |\\d+ )?(?:\\S+ )?(?:die|dice|d\\d+)|(?:flip|toss) (?:a |the )?coins?|heads or tails|rock,? paper,? scissors|(?:pick|draw|choose|take) (?:a|any|one) (?:card|side)|shuffle|surprise me|
    (?:a|something) different(?: one)?\\W*$|lottery numbers|lucky numbers?|(?:good|cool|cute|funny|unique|creative|nice|catchy|clever) (?:\\p{L}+ )?(?:names?|user ?names?|nicknames?)`,
    `${MAKE}${TO_WHOM}${ANY}${ADJECTIVES} ${SECRET}`,
    `${MAKE}${TO_WHOM} (?:a|an|any|some|one|\\d+|two|three|four|five|six|ten)${ADJECTIVES} ${CHOSEN}`,
    `${TELL}${TO_WHOM}${ANY}${ADJECTIVES} ${WORK}`,
  ),
  `^\\W*(?:(?:a|an|please|another|one|more) ){0,3}(?:(?:new|strong|secure|unique|safe) (?:[\\p{L}\\p{N}-]+ ){0,2}${SECRET}|(?:[\\p{L}-]+ ){0,2}(?:jokes?|haikus?|limericks?|poems?|riddles?|story|stories) (?:about|on|for|please)\\b)`,
);
