import type { Command } from 'commander';
import type { AdminApi } from './admin-api.ts';
import type { Printer } from './output/printer.ts';
import type { Input } from './secret-input.ts';

/** What commands work with. */
export interface Cli {
  readonly api: AdminApi;
  readonly print: Printer;
  readonly input: Input;
  readonly nowMs: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

/** Adds commands to the tree. */
export type Commands = (program: Command, cli: Cli) => void;
