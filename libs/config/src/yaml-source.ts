import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Pair, type YAMLMap } from 'yaml';
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

/** As V8 says it, of a call and within a regular expression. */
const OUT_OF_STACK = /Maximum call stack size exceeded|Stack overflow/;

/** A parsed deja.yaml that knows where each value stands. */
export class YamlSource {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #pairs = new WeakMap<YAMLMap, Map<string, Pair>>();

  constructor(text: string) {
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, merge: true, uniqueKeys: false });
  }

  /** What makes the text no YAML at all. Throws a RangeError where it is nested too deeply to be read. */
  syntaxProblems(): ConfigProblem[] {
    // The parser takes running out of stack for a mistake in the text, wherever that happened. An unexpected token is quoted, so it may say anything.
    if (this.#document.errors.some(({ code, message }) => code !== 'UNEXPECTED_TOKEN' && OUT_OF_STACK.test(message))) throw new RangeError('the text is nested too deeply');
    const errors = this.#document.errors.map((error) => ({ offset: error.pos[0], message: syntaxMessage(error.code, error.message) }));
    const twice = keysTwice(this.#document).map((offset) => ({ offset, message: 'this key stands twice in the same map: keep one of them' }));
    const within = aliasesWithin(this.#document).map((offset) => ({ offset, message: 'this alias stands within what it names, which would have no end: write the value itself' }));
    return [...errors, ...twice, ...within].sort((a, b) => a.offset - b.offset).map(({ offset, message }) => ({ path: '', ...this.#at(offset), message }));
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

  /** By key, the first of each; a file may have as many problems as keys, so none is looked for twice. */
  #pairsOf(map: YAMLMap): Map<string, Pair> {
    let pairs = this.#pairs.get(map);
    if (pairs === undefined) {
      const keyed = map.items.filter((item) => isNode(item.key)).map((item): [string, Pair] => [String(item.key), item]);
      this.#pairs.set(map, (pairs = new Map(keyed.toReversed())));
    }
    return pairs;
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
        const pair = this.#pairsOf(node).get(String(step));
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

const MERGE = '<<';

/** Where keys stand that their map has already. The library would compare each with all before it, which takes minutes for a map that was made to be large. */
function keysTwice(document: Document.Parsed): number[] {
  const offsets: number[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value) && key.value !== MERGE) offsets.push(key.range?.[0] ?? 0);
        seen.add(key.value);
      }
    },
  });
  return offsets;
}

/** Where aliases stand within the node of their anchor. The library would follow each through all the others, which takes minutes for some thousand of them. */
function aliasesWithin(document: Document.Parsed): number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias: (_, alias, path) => {
      if (path.some((node) => (isMap(node) || isSeq(node)) && node.anchor === alias.source)) offsets.push(alias.range?.[0] ?? 0);
    },
  });
  return offsets;
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent YAML: write spaces';
    case 'BAD_ALIAS':
      return `${message}: write the value itself`;
    default:
      return `not valid YAML: ${message}`;
  }
}
