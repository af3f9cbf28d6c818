import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Result, Work } from './work.ts';

/** Starts a program of this folder, or of another one, in a process of its own; resolves with the first thing that it says. */
export async function startHelper(file: URL): Promise<{ child: ChildProcess; said: unknown }> {
  const child = fork(fileURLToPath(file), { serialization: 'advanced' });
  const said = await Promise.race([
    once(child, 'message').then(([message]: unknown[]) => message),
    once(child, 'exit').then(() => Promise.reject(new Error(`${file.pathname} did not start`))),
  ]);
  return { child, said };
}

/** The fast provider in a process of its own. */
export async function startProvider(): Promise<{ port: number; stop(): void }> {
  const { child, said } = await startHelper(new URL('./provider.ts', import.meta.url));
  return { port: Number(said), stop: () => child.disconnect() };
}

/** The receiver of spans in a process of its own. */
export async function startOtlpSink(): Promise<{ url: string; stop(): void }> {
  const { child, said } = await startHelper(new URL('./otlp-sink.ts', import.meta.url));
  return { url: `http://127.0.0.1:${Number(said)}`, stop: () => child.disconnect() };
}

export interface Load {
  perform(work: Work): Promise<Result>;
  stop(): void;
}

/** The load generator in a process of its own. */
export const startLoad = (): Promise<Load> => startWorker<Work, Result>(new URL('./load.ts', import.meta.url));

/** A process that does one piece of work after another, as `serveWork` has it. Its promises reject with what went wrong there. */
export async function startWorker<Given, Done>(program: URL): Promise<{ perform: (work: Given) => Promise<Done>; stop(): void }> {
  const { child } = await startHelper(program);
  return {
    perform: async (work) => {
      child.send(work as object);
      const [message] = (await once(child, 'message')) as [{ result: Done } | { failed: string }];
      if ('failed' in message) throw new Error(message.failed);
      return message.result;
    },
    stop: () => child.disconnect(),
  };
}
