import { Command } from 'ioredis';
import { encodedCommand, type Value } from './encoded-command.ts';

/** The error of a command, or what it answered. */
export type PipelineReply = [error: Error | null, value: unknown];

/** As text, or as the bytes that they are. */
export type ReplyEncoding = 'utf8' | null;

const NOBODY_WAITS = Promise.resolve();

/**
 * A command for one Redis that travels with others. What it answers goes to those who sent them together, who also watch the clock for all; none of them blocks,
 * and their values are plain. What ioredis does for other commands is not done for these: above all no promise each, with closures that V8 puts into
 * the old generation because they are assigned to properties (decision 0050).
 */
export class GatheredCommand extends Command {
  override readonly promise = NOBODY_WAITS;
  private readonly values: Value[];
  private readonly at: number;
  private together: Replies | null = null;

  /** @param at its place among those it travels with */
  constructor(name: string, values: Value[], replyEncoding: ReplyEncoding, at: number) {
    super(name, [], { replyEncoding });
    this.values = values;
    this.args = values; // for whoever shows it
    this.at = at;
  }

  /** To be called before it is sent. */
  answerTo(together: Replies): void {
    this.together = together;
  }

  override resolve = (value: unknown): void => {
    if (this.isSettled) return; // too late
    try {
      this.settle([null, this.transformReply(value as Buffer)]);
    } catch (error) {
      this.reject(asError(error));
    }
  };

  override reject = (error: Error): void => {
    if (!this.isSettled) this.settle([error, undefined]);
  };

  override setTimeout(): void {
    // Never.
  }

  override extractBlockingTimeout(): undefined {
    return undefined;
  }

  override toWritable(): string | Buffer {
    return encodedCommand(this.name, this.values);
  }

  private settle(reply: PipelineReply): void {
    this.isSettled = true;
    this.isResolved = reply[0] === null;
    this.together?.take(this.at, reply);
  }
}

// ioredis calls it in its constructor, and its types hide it.
Object.defineProperty(GatheredCommand.prototype, 'initPromise', { value: () => undefined });

/** What commands that travel together answered, each at its place. Resolves when all have answered; whatever is missing after `deadlineMs` (null: never) is an error. */
export class Replies {
  readonly all: Promise<PipelineReply[]>;
  private readonly replies: PipelineReply[];
  private readonly resolve: (replies: PipelineReply[]) => void;
  private left: number;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(commands: readonly Pick<Command, 'reject'>[], deadlineMs: number | null) {
    const { promise, resolve } = Promise.withResolvers<PipelineReply[]>();
    this.all = promise;
    this.resolve = resolve;
    this.left = commands.length;
    this.replies = Array.from<PipelineReply>({ length: commands.length });
    if (deadlineMs === null) return;
    this.timer = setTimeout(rejectAll, deadlineMs, commands);
  }

  take(at: number, reply: PipelineReply): void {
    this.replies[at] = reply;
    this.left -= 1;
    if (this.left > 0) return;
    clearTimeout(this.timer);
    this.resolve(this.replies);
  }
}

function rejectAll(commands: readonly Pick<Command, 'reject'>[]): void {
  for (const command of commands) command.reject(new Error('Command timed out'));
}

export const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
