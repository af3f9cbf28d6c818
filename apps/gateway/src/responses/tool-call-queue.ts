import { AttemptFailure } from '../attempt/failure.ts';
import { bounded, MOST_INDEXED } from '../dialects/stream-bounds.ts';
import { callItem, type CalledTool } from './chat-output.ts';
import type { ItemEvents, ResponseEvents } from './response-events.ts';
import type { OutputItem, ResponseOrigin } from './response-object.ts';
import { WholeJson } from './whole-json.ts';

interface Call extends CalledTool {
  key: number;
  /** Null until it is this call's turn. */
  at: ItemEvents | null;
  /** Characters of the arguments already told. */
  told: number;
  /** Whether the arguments are whole: asked at each fragment while another call waits. */
  json: WholeJson;
}

/**
 * Tool calls of one streamed choice, told one after the other as OpenAI does, however a provider mixes their fragments:
 * the first one is told as it comes, later ones wait until it is complete.
 */
export class ToolCallQueue {
  private readonly waiting: Call[] = [];
  private readonly told = new Set<number>();
  private lastKey = -1;

  constructor(
    private readonly events: ResponseEvents,
    /** Where finished items go; its length is the place of the next one. */
    private readonly output: OutputItem[],
    private readonly custom: ReadonlySet<unknown>,
    private readonly origin: ResponseOrigin,
  ) {}

  get empty(): boolean {
    return this.waiting.length === 0;
  }

  /** Whether the next call waits for its turn: what else is open must be closed first. */
  get startable(): boolean {
    const [next] = this.waiting;
    return next !== undefined && next.at === null && next.name !== '';
  }

  /** Takes one element of a delta's `tool_calls`. */
  add(fragment: Record<string, unknown>): void {
    const said = (fragment['function'] ?? {}) as { name?: unknown; arguments?: unknown };
    const piece = typeof said.arguments === 'string' ? said.arguments : '';
    const key = this.keyOf(fragment, said.name);
    if (this.told.has(key)) {
      if (piece.trim() === '') return;
      throw new AttemptFailure('malformed', { cause: new Error('a tool call went on after it was complete') });
    }
    let call = this.waiting.find((each) => each.key === key);
    if (!call) {
      this.waiting.push((call = { key, id: '', name: '', arguments: '', at: null, told: 0, json: new WholeJson() }));
      bounded(this.waiting.length + this.told.size, MOST_INDEXED, 'tool calls');
    }
    if (call.id === '' && typeof fragment['id'] === 'string') call.id = fragment['id'];
    if (call.name === '' && typeof said.name === 'string') call.name = said.name;
    call.arguments += piece;
    call.json.add(piece);
    this.lastKey = key;
  }

  /** Tells what can be told by now. */
  advance(): void {
    for (let [call] = this.waiting; call; [call] = this.waiting) {
      if (call.name === '') return;
      this.tell(call);
      if (this.waiting.length === 1 || !call.json.isWhole) return;
      this.finish(call, 'completed');
    }
  }

  /** Tells the rest. The status is the last call's; those before it are complete. */
  close(status: string): void {
    for (let [call] = this.waiting; call; [call] = this.waiting) this.finish(call, this.waiting.length === 1 ? status : 'completed');
  }

  private tell(call: Call): ItemEvents {
    if (!call.at) {
      const item = callItem({ ...call, arguments: '' }, this.custom, this.origin, this.output.length, 'in_progress');
      call.at = this.events.item(this.output.length, item.id ?? '');
      call.at.added(item);
    }
    // The input of a custom tool is inside the arguments: it is known when they are whole.
    if (!this.custom.has(call.name) && call.told < call.arguments.length) {
      call.at.argumentsDelta(call.arguments.slice(call.told));
      call.told = call.arguments.length;
    }
    return call.at;
  }

  private finish(call: Call, status: string): void {
    const at = this.tell(call);
    const item = callItem(call, this.custom, this.origin, this.output.length, status);
    if (item.type === 'custom_tool_call') {
      at.inputDelta(String(item['input']));
      at.inputDone(item);
    } else at.argumentsDone(item);
    at.done(item);
    this.output.push(item);
    this.told.add(call.key);
    this.waiting.shift();
  }

  /** Which call a fragment belongs to. Mistral sends calls whole and without index. */
  private keyOf(fragment: Record<string, unknown>, name: unknown): number {
    if (typeof fragment['index'] === 'number') return fragment['index'];
    const id = fragment['id'];
    const known = typeof id === 'string' ? this.waiting.find((call) => call.id === id) : undefined;
    if (known) return known.key;
    const isNew = (typeof id === 'string' && id !== '') || typeof name === 'string' || this.lastKey < 0;
    return isNew ? Math.max(-1, ...this.told, ...this.waiting.map(({ key }) => key)) + 1 : this.lastKey;
  }
}
