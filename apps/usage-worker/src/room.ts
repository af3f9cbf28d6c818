/** A part of the app with work of its own that goes on by itself. */
export interface Room {
  /** The tables are there. */
  start(): Promise<void> | void;
  /** Ends with what is under way. `graceMs`: how long Postgres and Redis may take for it. */
  stop(graceMs: number): Promise<void>;
}
