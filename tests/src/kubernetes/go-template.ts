// Reads Go templates as far as the chart under deploy/helm uses them. deploy/verify-kubernetes.sh holds the outcome to Helm's own.
// What is not known here is an error with its place, never left out.

export type Expression =
  | { kind: 'literal'; value: string | number | boolean | null }
  | { kind: 'dot' }
  | { kind: 'variable'; name: string }
  | { kind: 'members'; of: Expression; names: string[] }
  | { kind: 'call'; name: string; arguments: Expression[] };

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'print'; expression: Expression }
  | { kind: 'set'; variable: string; expression: Expression }
  | { kind: 'if' | 'with'; branches: { condition: Expression; body: Node[] }[]; otherwise: Node[] }
  | { kind: 'range'; over: Expression; key: string | null; value: string | null; body: Node[] }
  | { kind: 'define'; name: string; body: Node[] };

/** An action `{{ … }}` or the text between two, with the line at which it begins. */
interface Piece {
  text: string;
  action: boolean;
  line: number;
}

/** Cuts the text into pieces and takes away the white space that `{{-` and `-}}` ask to be taken away. Comments are left out. */
function pieces(template: string): Piece[] {
  const found: Piece[] = [];
  const action = /\{\{(-?)\s*(\/\*[\s\S]*?\*\/|(?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!\}\})[^"`])*?)\s*(-?)\}\}/g;
  let from = 0;
  let trimNext = false;
  for (const match of template.matchAll(action)) {
    const [all, trimsBefore = '', inside = '', trimsAfter = ''] = match;
    let text = template.slice(from, match.index);
    if (trimNext) text = text.trimStart();
    if (trimsBefore !== '') text = text.trimEnd();
    const line = template.slice(0, match.index).split('\n').length;
    found.push({ text, action: false, line });
    if (!inside.startsWith('/*')) found.push({ text: inside.trim(), action: true, line });
    from = match.index + all.length;
    trimNext = trimsAfter !== '';
  }
  const rest = template.slice(from);
  found.push({ text: trimNext ? rest.trimStart() : rest, action: false, line: 0 });
  return found.filter(({ text, action: isAction }) => isAction || text !== '');
}

/** The nodes of a template. Throws an error that begins with `name:line`. */
export function parseTemplate(template: string, name: string): Node[] {
  const all = pieces(template);
  let at = 0;
  const { nodes, ended } = body();
  if (ended !== null) throw new Error(`${name}: ${ended} without a beginning`);
  return nodes;

  /** Nodes up to `end` or `else …`, which is returned; null at the end of the file. */
  function body(): { nodes: Node[]; ended: string | null } {
    const into: Node[] = [];
    for (let piece = all[at++]; piece !== undefined; piece = all[at++]) {
      if (!piece.action) into.push({ kind: 'text', text: piece.text });
      else if (/^(end|else)\b/.test(piece.text)) return { nodes: into, ended: piece.text };
      else {
        try {
          into.push(node(piece.text));
        } catch (error) {
          throw error instanceof TemplateError ? error : new TemplateError(`${name}:${piece.line}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
    return { nodes: into, ended: null };
  }

  function node(text: string): Node {
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
    if (word === 'define') return { kind: 'define', name: JSON.parse(rest) as string, body: block() };
    if (word === 'range') return range(rest);
    if (word === 'if' || word === 'with') return branching(word, rest);
    const [, variable, value] = /^\$(\w+)\s*:?=\s*([\s\S]+)$/.exec(text) ?? [];
    if (variable !== undefined && value !== undefined) return { kind: 'set', variable, expression: parseExpression(value) };
    return { kind: 'print', expression: parseExpression(text) };
  }

  function block(): Node[] {
    const { nodes: inside, ended: by } = body();
    if (by !== 'end') throw new Error(`end is missing`);
    return inside;
  }

  function range(text: string): Node {
    const [, key = null, value = null, over = text] = /^(?:\$(\w+)\s*,\s*)?\$(\w+)\s*:=\s*([\s\S]+)$/.exec(text) ?? [];
    return { kind: 'range', over: parseExpression(over), key, value, body: block() };
  }

  function branching(kind: 'if' | 'with', text: string): Node {
    const branches = [];
    for (let condition = text; ; ) {
      const { nodes: inside, ended: by } = body();
      branches.push({ condition: parseExpression(condition), body: inside });
      if (by === 'end') return { kind, branches, otherwise: [] };
      if (by === 'else') return { kind, branches, otherwise: block() };
      const [, next] = /^else (?:if|with) ([\s\S]+)$/.exec(by ?? '') ?? [];
      if (next === undefined) throw new Error(`${kind} has no end`);
      condition = next;
    }
  }
}

class TemplateError extends Error {}

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?|\$?(?:\.?[A-Za-z_]\w*)(?:\.\w+)*|\$|\.|[|()])/y;

/** A pipeline: commands with bars between them, each the last argument of the next. */
export function parseExpression(text: string): Expression {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const token = match[1] ?? '';
    // `.name` right behind a closing parenthesis is a member of what stands in it.
    tokens.push(token.startsWith('.') && token !== '.' && text[TOKEN.lastIndex - token.length - 1] === ')' ? `)${token}` : token);
    if (text.slice(TOKEN.lastIndex).trim() === '') break;
  }
  if (tokens.length === 0 || text.slice(TOKEN.lastIndex).trim() !== '') throw new Error(`not understood: ${text}`);
  let at = 0;
  const whole = pipeline();
  if (at < tokens.length) throw new Error(`not understood from ${tokens[at]} on: ${text}`);
  return whole;

  function pipeline(): Expression {
    let value = command(null);
    while (tokens[at] === '|') {
      at += 1;
      value = command(value);
    }
    return value;
  }

  function command(piped: Expression | null): Expression {
    const first = tokens[at] ?? '';
    const isCall = /^[A-Za-z_]\w*$/.test(first) && !['true', 'false', 'nil'].includes(first);
    if (isCall) at += 1;
    const operands: Expression[] = [];
    while (at < tokens.length && tokens[at] !== '|' && tokens[at] !== ')') operands.push(operand());
    if (piped !== null) operands.push(piped);
    if (isCall) return { kind: 'call', name: first, arguments: operands };
    // A method, as `.Files.Get "x"`: called by its path.
    const [head, ...rest] = operands;
    if (head === undefined) throw new Error('a command is empty');
    if (rest.length === 0) return head;
    if (head.kind !== 'members') throw new Error('only a function can have arguments');
    return { kind: 'call', name: `.${head.names.join('.')}`, arguments: rest };
  }

  function operand(): Expression {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      const inside = pipeline();
      if (tokens[at++] !== ')') throw new Error('a parenthesis is not closed');
      const next = tokens[at];
      if (next?.startsWith(').') !== true) return inside;
      at += 1;
      return { kind: 'members', of: inside, names: next.slice(2).split('.') };
    }
    if (token.startsWith('"')) return { kind: 'literal', value: JSON.parse(token) as string };
    if (token.startsWith('`')) return { kind: 'literal', value: token.slice(1, -1) };
    if (/^-?\d/.test(token)) return { kind: 'literal', value: Number(token) };
    if (token === 'true' || token === 'false' || token === 'nil') return { kind: 'literal', value: token === 'nil' ? null : token === 'true' };
    if (token === '.') return { kind: 'dot' };
    const [head = '', ...names] = token.split('.');
    const of: Expression = head === '' ? { kind: 'dot' } : { kind: 'variable', name: head.slice(1) };
    if (head !== '' && !head.startsWith('$')) return { kind: 'call', name: token, arguments: [] };
    return names.length === 0 ? of : { kind: 'members', of, names };
  }
}
