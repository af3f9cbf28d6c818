import { readFileSync } from 'node:fs';
import type { Meter } from '@opentelemetry/api';

/** The root package.json's version, put in its place where the app is bundled (rolldown.preset.mjs); there is none where the sources run. */
declare const DEJA_VERSION: string | undefined;

/** Version of the whole of deja: its apps are released together. `unknown` outside a repository and a bundle. */
export function dejaVersion(): string {
  if (typeof DEJA_VERSION === 'string') return DEJA_VERSION;
  try {
    const { name, version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { name?: unknown; version?: unknown };
    return name === 'deja' && typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown'; // of no consequence but to this figure
  }
}

/** `deja_build_info`: always 1, and its labels say what runs. To be joined with, or counted by version while a new one is rolled out. */
export function observeBuild(meter: Meter, app: string, version: string = dejaVersion()): void {
  meter.createObservableGauge('deja.build.info', { description: 'Always 1; says which version of which app this is' }).addCallback((result) => result.observe(1, { app, version }));
}
