/**
 * Words that are frequent in German, Spanish, French, Italian, Portuguese or Dutch and are none in English. What several languages share
 * with English (die, was, come, me, no, in) is left out.
 */
const FOREIGN = new Set(
  `der das dem den des ein eine einen einer eines und ist sind wie wer wo wann warum welche welcher welches ich du wir ihr sie mein meine meinen meiner dein deine nicht auf mit für von zu zum zur bei oder aber kann kannst wird werden habe hat gibt heute
   el los las unos unas que qué cómo como cuál cuáles cuándo dónde quién por para con mi mis tu tus su sus es está están hay puedo puede al muy más hoy
   le les une où quand comment quel quelle quels quelles pourquoi je tu nous vous mon ma mes est sont avec dans pour sur au aux du que qui puis peux
   il lo gli uno che dove quando perché quale quali sono della dello dei delle nel nella con mio mia posso può oggi
   os um uma são não você meu minha onde quem qual quais posso pode dos das nos na
   het een zijn hoe waar wanneer waarom welke ik jij wij mijn jouw niet voor naar kan heeft`.split(/\s+/u),
);

const ENGLISH = new Set(
  `the a an of to in on at for from by with about into and or but is are was were be been do does did can could should would will may might must has have had what which who whom whose when where why how this that these those there it its
   i you he she we they me my your his her our their not no as than if then so please tell explain describe give list name write show make find use using between without`.split(/\s+/u),
);

/** A small word with a letter that English has not. A name with one may stand in an English question. */
const FOREIGN_LETTER = /(?<![\p{L}\p{M}])\p{Ll}*(?![a-z])\p{Ll}/u;

/** Whether a text in Latin letters is evidently not English: it has more of other languages' words, or of their letters and no English word. Pure. */
export function isForeign(text: string): boolean {
  const found = text.match(/[\p{L}\p{M}]+/gu) ?? [];
  // Capitals inside a sentence are names: "MIT", "Las Vegas".
  const foreign = found.filter((word, i) => FOREIGN.has(i === 0 && word !== word.toUpperCase() ? word.toLowerCase() : word)).length;
  const english = found.filter((word) => ENGLISH.has(word.toLowerCase())).length;
  return foreign > english || (english === 0 && FOREIGN_LETTER.test(text));
}
