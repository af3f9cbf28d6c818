import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CliFailure, EXIT } from './failure.ts';
import type { World } from './world.ts';

/** Asks people at the keyboard, and reads what is piped in. */
export class Input {
  constructor(private readonly world: Pick<World, 'stdin' | 'stderr' | 'readText'>) {}

  /** A secret: typed without an echo, else all of standard input without the line's end. Never an argument, which every process of the machine can see. */
  async secret(prompt: string): Promise<string> {
    const typed = this.world.stdin.isTTY === true;
    const value = typed ? await this.#line(prompt, new Writable({ write: (_chunk, _encoding, done) => done() })) : await this.#all();
    if (typed) this.world.stderr.write('\n');
    const secret = value.replace(/\r?\n$/, '');
    if (secret === '') throw new CliFailure(EXIT.usage, 'No value came: type it when asked, or pipe it into standard input.');
    return secret;
  }

  /** Yes to a question whose usual answer is no. */
  async confirmed(question: string): Promise<void> {
    if (this.world.stdin.isTTY !== true) throw new CliFailure(EXIT.usage, 'Say --yes: nobody is there to be asked.');
    const answer = await this.#line(`${question} [y/N] `, this.world.stderr);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliFailure(EXIT.usage, 'Nothing was done.');
  }

  /** A file, or standard input for `-`. */
  async text(file: string): Promise<string> {
    if (file === '-') return this.#all();
    return this.world.readText(file).catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      throw new CliFailure(EXIT.usage, `${file} cannot be read (${code}).`);
    });
  }

  async #all(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.world.stdin as AsyncIterable<Buffer | string>) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }

  #line(prompt: string, echo: Writable): Promise<string> {
    const { stdin, stderr } = this.world;
    if (echo !== stderr) stderr.write(prompt);
    const lines = createInterface({ input: stdin, output: echo, terminal: true, historySize: 0, prompt: echo === stderr ? prompt : '' });
    return new Promise((resolve, reject) => {
      lines.once('line', (line) => {
        resolve(line);
        lines.close();
      });
      // Ctrl-C, Ctrl-D, or a keyboard that is gone.
      lines.once('SIGINT', () => lines.close());
      lines.once('close', () => reject(new CliFailure(EXIT.usage, 'Nothing was done.')));
      lines.prompt();
    });
  }
}
