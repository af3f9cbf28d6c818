import { isAlias, isMap, isNode, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { pathText, type Path } from './path.ts';

export interface ConfigProblem {
  /** As one would write it in JavaScript: `models[0].name`; empty for the whole file. */
  path: string;
  /** 1-based; 0 when there is no file. */
  line: number;
  column: number;
  /** What is wrong and what to write instead. Never holds a resolved value. */
  message: string;
}

/** A parsed deja.yaml that knows where each value stands. */
export class YamlSource {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(text: string) {
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, merge: true });
  }

  /** What makes the text no YAML at all. */
  syntaxProblems(): ConfigProblem[] {
    return this.#document.errors.map((error) => ({ path: '', ...this.#at(error.pos[0]), message: syntaxMessage(error.code, error.message) }));
  }

  /** Plain data. A syntactically good file can still fail here (an alias without its anchor, aliases that explode): throws an Error. */
  toData(): unknown {
    return this.#document.toJS();
  }

  /** A problem with the value at `path`, or, where that is absent, with what encloses it. */
  problem(path: Path, message: string): ConfigProblem {
    return { path: pathText(path), ...this.#at(this.#offsetOf(path)), message };
  }

  lineOf(path: Path): number {
    return this.#at(this.#offsetOf(path)).line;
  }

  #at(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** Where the key of the last step stands in a map, where the value stands in a list. */
  #offsetOf(path: Path): number {
    let node: unknown = this.#document.contents;
    let offset = this.#document.contents?.range?.[0] ?? 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find((item) => isNode(item.key) && String(item.key) === String(step));
        if (pair === undefined) return offset;
        offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(step)];
        if (!isNode(node)) return offset;
        offset = node.range?.[0] ?? offset;
      } else {
        return offset;
      }
    }
    return offset;
  }
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key stands twice in the same map: keep one of them';
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent YAML: write spaces';
    case 'BAD_ALIAS':
      return `${message}: write the value itself`;
    default:
      return `not valid YAML: ${message}`;
  }
}
