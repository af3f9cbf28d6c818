import { bounded, MAX_HELD_CHARS, MOST_ITEMS } from '../dialects/stream-bounds.ts';
import { saidInCall, saidInContent } from '../chat/said.ts';
import type { OutputItem } from './response-object.ts';

/** What the items of a response say, text by text. Of reasoning it is the text itself where that is told, else its summary. */
export const saidInOutput = (output: readonly OutputItem[]): string[] => output.flatMap(saidInItem);

function saidInItem(item: OutputItem): string[] {
  if (item.type === 'message') return saidInContent(item['content']);
  if (item.type === 'function_call' || item.type === 'custom_tool_call' || item.type === 'mcp_call') return saidInCall(item);
  if (item.type !== 'reasoning') return [];
  const thought = saidInContent(item['content']);
  return thought.length > 0 ? thought : saidInContent(item['summary']);
}

/** The events that continue a text, by the item's type that they belong to (OpenAI's API reference, "Streaming events"). */
const DELTAS = new Map([
  ['response.output_text.delta', 'text'],
  ['response.refusal.delta', 'text'],
  ['response.function_call_arguments.delta', 'text'],
  ['response.custom_tool_call_input.delta', 'text'],
  ['response.mcp_call_arguments.delta', 'text'],
  ['response.reasoning_text.delta', 'thought'],
  ['response.reasoning_summary_text.delta', 'summary'],
]);

interface OpenItem {
  name: string;
  text: string;
  thought: string;
  summary: string;
}

/** What the items of a streamed response say that are not done yet, as far as it has come. */
export class OpenItems {
  private readonly items = new Map<unknown, OpenItem>();
  private heldChars = 0;
  /** Of what was too long to be held. */
  otherChars = 0;

  /** Takes an event of the stream (parsed JSON). */
  add({ type, output_index: index, delta, item }: { type?: unknown; output_index?: unknown; delta?: unknown; item?: unknown }): void {
    if (type === 'response.output_item.added') this.open(index).name = saidInCall({ name: (item as { name?: unknown } | null | undefined)?.name }).join('');
    else if (type === 'response.output_item.done') this.items.delete(index);
    const member = typeof type === 'string' ? DELTAS.get(type) : undefined;
    if (member === undefined || typeof delta !== 'string') return;
    this.heldChars += delta.length;
    if (this.heldChars > MAX_HELD_CHARS) this.otherChars += delta.length;
    else this.open(index)[member as 'text' | 'thought' | 'summary'] += delta;
  }

  get texts(): string[] {
    return [...this.items.values()].flatMap(({ name, text, thought, summary }) => [name, text, thought === '' ? summary : thought]);
  }

  private open(index: unknown): OpenItem {
    const known = this.items.get(index) ?? { name: '', text: '', thought: '', summary: '' };
    this.items.set(index, known);
    bounded(this.items.size, MOST_ITEMS, 'open items');
    return known;
  }
}
