import { isJson } from '../validate/is-json.ts';

const BLANK = /^[ \t\n\r]*$/;
/** Longer than any number or word of JSON whose runs of digits have been cut to two, with a blank after it. */
const LONGEST_SCALAR = 16;

/**
 * Whether a text that comes in pieces is one whole JSON value by now: what `JSON.parse` of all of it would say, without reading it from its
 * beginning each time. Brackets are counted outside of strings; where they close, the text is parsed, once.
 */
export class WholeJson {
  /** Characters looked at so far, those that were parsed too: a measure of work that has no clock in it. */
  read = 0;
  private text = '';
  /** `scalar`: a number or a word, which may go on for as long as nothing but it has come. `closed`: brackets or a string have, to be parsed when asked. */
  private state: 'before' | 'open' | 'closed' | 'scalar' | 'whole' | 'never' = 'before';
  private depth = 0;
  private inString = false;
  private isEscaped = false;

  add(piece: string): void {
    this.read += piece.length;
    let rest = piece;
    if (this.state === 'before') {
      rest = piece.replace(/^[ \t\n\r]+/, '');
      if (rest === '') return;
      this.state = '{["'.includes(rest.charAt(0)) ? 'open' : 'scalar';
    }
    if (this.state === 'open') rest = this.untilClosed(rest);
    else if (this.state === 'scalar') return this.scalar(rest);
    // What follows a value that has closed may only be blank.
    if ((this.state === 'closed' || this.state === 'whole') && !BLANK.test(rest)) this.never();
  }

  get isWhole(): boolean {
    if (this.state === 'scalar') return isJson(this.text);
    if (this.state !== 'closed') return this.state === 'whole';
    this.read += this.text.length;
    this.state = isJson(this.text) ? 'whole' : 'never';
    this.text = '';
    return this.state === 'whole';
  }

  /** Takes characters up to where the value closes; the rest. */
  private untilClosed(piece: string): string {
    for (let at = 0; at < piece.length; at++) {
      this.take(piece.charAt(at));
      if (this.depth > 0 || this.inString) continue;
      this.text += piece.slice(0, at + 1);
      this.state = 'closed';
      return piece.slice(at + 1);
    }
    this.text += piece;
    return '';
  }

  private take(character: string): void {
    if (this.isEscaped) this.isEscaped = false;
    else if (character === '"') this.inString = !this.inString;
    else if (this.inString) this.isEscaped = character === '\\';
    else if (character === '{' || character === '[') this.depth++;
    else if (character === '}' || character === ']') this.depth--;
  }

  /** A number is as good as one with fewer digits: so what is kept of it is short, and parsing it costs nothing. */
  private scalar(piece: string): void {
    this.text = (this.text + piece).replace(/(\d\d)\d+/g, '$1').replace(/[ \t\n\r]+$/, ' ');
    if (this.text.length > LONGEST_SCALAR) this.never();
  }

  private never(): void {
    this.state = 'never';
    this.text = '';
  }
}
