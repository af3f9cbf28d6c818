/** How a run ends, for scripts. */
export const EXIT = { good: 0, refused: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Why a command did not do what it was told. The message is one sentence for the person who typed it. */
export class CliFailure extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** More to it, a line each. */
    readonly hints: readonly string[] = [],
  ) {
    super(message);
    this.name = 'CliFailure';
  }
}
