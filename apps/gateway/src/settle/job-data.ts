import type { UsageEvent, UsageJobData } from '@deja/contracts';
import { zstdFrame } from '../capture/zstd-frames.ts';

/** An event and its JSON, which is written once: for the hash, and as part of a job. */
export interface WrittenEvent {
  event: UsageEvent;
  text: string;
}

export const written = (event: UsageEvent): WrittenEvent => ({ event, text: JSON.stringify(event) });

/** Two hundred events take a seventh of what they would as they are. */
export async function jobData(events: readonly Pick<WrittenEvent, 'text'>[]): Promise<UsageJobData> {
  const frame = await zstdFrame(Buffer.from(`[${events.map(({ text }) => text).join(',')}]`));
  return { v: 2, z: frame.toString('base64') };
}
