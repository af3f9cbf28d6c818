/**
 * Words that are frequent in other languages written in Latin letters and are hardly any in English, also as they are typed without
 * accents. What several languages share with English (die, was, come, me, no, in) is left out.
 */
const FOREIGN = new Set(
  `der das dem den des ein eine einen einer eines und ist sind wie wer wo wann warum welche welcher welches ich du wir ihr sie mein meine meinen meiner dein deine nicht auf mit für fur fuer von vom zu zum zur bei beim im aber kann kannst wird werden habe hat gibt heute viele wieviel mir mich dir sich kein keine nach über uber bitte
   el los las la de en un es unos unas que qué cómo como cuál cual cuáles cuales cuándo cuando dónde donde quién quien cuánto cuanto cuántos cuantos cuesta por para con mi mis tu tus su sus está están esta este hay puedo puede al del muy más hoy hacer tiene quiero tengo
   le les une où quand comment quel quelle quels quelles pourquoi quoi combien je tu nous vous mon ma mes est sont avec dans pour sur au aux du qui puis peux peut faire cette ces ce
   il lo gli di uno che dove quando perché perche quale quali chi quanto quanti sono della dello dei delle nel nella mio mia posso può puo oggi si
   da os um uma são sao não nao você voce meu minha onde quem qual quais quantos pode dos das nos na em fazer
   het een zijn hoe hoeveel wat wie waar wanneer waarom welke ik jij wij je mijn jouw niet voor naar kan kun heeft van op te dat
   hur vad vem när nar varför varfor är och att det jag inte för som på av ett mitt min idag hvad hva hvor hvem hvordan hvorfor jeg ikke og til mange mycket många
   jak gdzie kiedy dlaczego kto czy jest są nie się sie dla od przez ile jaka jaki jakie moje mój moja mam mogę moge
   nedir nasıl nasil ne ve bir bu için icin kim nerede neden kaç kac hangi mı değil degil benim ile kadar
   apa siapa bagaimana dimana mana kapan mengapa kenapa yang adalah dan ke dari untuk dengan ini itu saya anda berapa tidak cara
   là gì gi của cua tôi toi làm lam nào nao nhiêu nhieu không khong với voi như nhu đâu dau tại sao khi cách cach được duoc`.split(/\s+/u),
);

/** English words of grammar and of asking, which are none elsewhere. */
const ENGLISH = new Set(
  `the for from with about into and or but are were be been does did can could should would may might must has have what which who whom whose when where why how this that these those there
   you she they my your his her our their not than if then please tell explain describe give list name write wrote show make find use using between without
   many much some any all most more first best between during after before because while over under only also other said say says mean means meaning called translate define word phrase sentence spoken
   people population city country language song film movie book world war year years day time water car name names made written invented painted famous history difference`.split(/\s+/u),
);
/** English words that other languages have too, for something else. They are weaker evidence. */
const SHARED = new Set('a an i do no me he as so in is was to on we of will at it by had us am its'.split(' '));
const SHARED_WEIGHT = 0.5;

/** A small word with a letter that English has not. A name with one may stand in an English question. */
const FOREIGN_LETTER = /(?<![\p{L}\p{M}])\p{Ll}*(?![a-z])\p{Ll}/u;

/**
 * Whether a text in Latin letters is evidently not English: it has more of other languages' words than of English ones, or of their letters
 * and no English word. Pure.
 */
export function isForeign(text: string): boolean {
  const shouted = text === text.toUpperCase();
  const found = (shouted ? text.toLowerCase() : text).match(/[\p{L}\p{M}]+/gu) ?? [];
  // Capitals inside a sentence are names ("MIT", "Las Vegas"), and so is what stands between two ("Leonardo da Vinci").
  const inName = (i: number): boolean => isCapital(found[i - 1]) && isCapital(found[i + 1]) && i > 1;
  const foreign = found.filter((word, i) => FOREIGN.has(i === 0 && word !== word.toUpperCase() ? word.toLowerCase() : word) && !inName(i)).length;
  const weigh = (word: string): number => (ENGLISH.has(word) ? 1 : SHARED.has(word) ? SHARED_WEIGHT : 0);
  const english = found.reduce((sum, word) => sum + weigh(word.toLowerCase()), 0);
  return foreign > english || (english === 0 && FOREIGN_LETTER.test(text));
}

const isCapital = (word: string | undefined): boolean => word !== undefined && /^\p{Lu}/u.test(word);
