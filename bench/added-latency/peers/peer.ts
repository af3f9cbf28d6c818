import { z } from 'zod';
import type { Kind, Target } from '../work.ts';

const texts = z.record(z.string(), z.string());

/**
 * A gateway that can be measured: how it is had, how it is started, and how it is asked. In every text of `command`, `env` and `headers` stand for themselves:
 * `{node}` the Node that runs this, `{bench}` the folder of these files, `{packages}` where its packages are, `{port}` where it has to listen,
 * `{provider}` the provider's base URL with `/v1`, `{provider_port}`, and `{redis}` the URL of a Redis of its own, which runs if it is named.
 */
export const peerSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** What it does with a request: for the reader of the figures. */
  does: z.string(),
  /** From npm, in exact versions; installed when it is measured for the first time. */
  packages: z.strictObject({ dependencies: texts, overrides: texts.default({}) }).optional(),
  command: z.array(z.string()).min(1),
  env: texts.default({}),
  path: z.string().default('/v1/chat/completions'),
  headers: texts.default({}),
  /** Sent as `authorization: Bearer`. */
  key: z.string().default('bench'),
  /** A GET of this path is answered, with anything, once it is ready. */
  ready: z.string().default('/'),
  /** What it answers by itself, if it says so in `x-cache` as deja does; null: nothing that is known of. */
  cache: z.enum(['exact', 'semantic']).nullable().default(null),
});

export type Peer = z.infer<typeof peerSchema>;

/** What its processes are, by their ids. With `gateway` counts all that it has started. */
export interface Processes {
  gateway: number;
  /** Other apps that serve the request, or record it. */
  others: number[];
  redis: number | null;
  postgres: number | null;
}

export interface RunningPeer {
  name: string;
  does: string;
  cache: Peer['cache'];
  /** Where requests of this kind go. */
  target(kind: Kind): Target;
  processes(): Processes;
  /** What it said last, for when something fails. */
  lastWords(): string;
  stop(): Promise<void>;
}
