import type { Answer, ListId, Page, RowOf } from '../admin-api.ts';
import type { Terminal, World } from '../world.ts';
import { jsonText, plainText } from './plain-text.ts';
import { table, type Column, type Paint, type Tone } from './table.ts';

const SGR: Record<Tone, string> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' };

/** Results go to standard output, all that is said about them to standard error. */
export class Printer {
  readonly paint: Paint;
  readonly #paintErr: Paint;

  constructor(
    private readonly world: Pick<World, 'env' | 'stdout' | 'stderr'>,
    /** Whether results are printed as the API gave them. */
    private readonly asJson: () => boolean,
  ) {
    this.paint = paintFor(world.stdout, world.env);
    this.#paintErr = paintFor(world.stderr, world.env);
  }

  /** The answer's JSON, or what `lines` makes of it. */
  async answer<T>(answer: Answer<T>, lines: (value: T) => string[]): Promise<void> {
    await this.lines(this.asJson() ? [jsonText(answer.json)] : lines(answer.value));
  }

  /** A secret that is shown once: alone on standard output, so that `KEY=$(deja …)` works, and what it belongs to beside it. */
  async secret<T>(answer: Answer<T>, secret: (value: T) => string, about: (value: T) => string[]): Promise<void> {
    if (this.asJson()) return this.lines([jsonText(answer.json)]);
    await this.lines([secret(answer.value)]);
    for (const line of about(answer.value)) await this.note(line);
  }

  /** One JSON array of all rows, page by page; or a table, and a word where there is more than it shows. */
  async list<Id extends ListId>(pages: AsyncIterable<Page<RowOf<Id>>>, columns: readonly Column<RowOf<Id>>[], nothing: string): Promise<void> {
    if (this.asJson()) return this.#jsonArray(pages);
    const rows: RowOf<Id>[] = [];
    let hasMore = false;
    for await (const page of pages) {
      rows.push(...page.rows());
      hasMore = page.hasMore;
    }
    if (rows.length > 0) await this.table(rows, columns);
    if (rows.length === 0) await this.note(nothing);
    else if (hasMore) await this.note(`These are the first ${rows.length}; there are more: --max ${rows.length * 10}, or --all.`);
  }

  async table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Promise<void> {
    await this.lines(this.tableLines(rows, columns));
  }

  tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
    const { stdout } = this.world;
    return table(rows, columns, { width: stdout.isTTY === true ? (stdout.columns ?? null) : null, paint: this.paint });
  }

  async lines(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await write(this.world.stdout, `${lines.join('\n')}\n`);
  }

  /** Whether somebody would look at what goes to standard output. */
  get isForTerminal(): boolean {
    return this.world.stdout.isTTY === true;
  }

  /** Bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await write(this.world.stdout, bytes);
  }

  async note(text: string): Promise<void> {
    await write(this.world.stderr, `${plainText(text)}\n`);
  }

  async failure(message: string, hints: readonly string[]): Promise<void> {
    await write(this.world.stderr, `${this.#paintErr('deja:', 'red')} ${plainText(message)}\n${hints.map((hint) => `  ${plainText(hint)}\n`).join('')}`);
  }

  async #jsonArray(pages: AsyncIterable<Page<unknown>>): Promise<void> {
    let before = '[\n';
    for await (const { json } of pages) {
      for (const row of json) {
        await write(this.world.stdout, `${before}${jsonText(row)}`);
        before = ',\n';
      }
    }
    // An array that was begun is ended only by a list that has come to its end.
    await write(this.world.stdout, before === '[\n' ? '[]\n' : '\n]\n');
  }
}

/** Colours are for terminals, and for who wants them (https://no-color.org). */
function paintFor(stream: Terminal, env: NodeJS.ProcessEnv): Paint {
  const plain = stream.isTTY !== true || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return plain ? (text) => text : (text, tone) => `\u001b[${SGR[tone]}m${text}\u001b[0m`;
}

function write(stream: Terminal, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
