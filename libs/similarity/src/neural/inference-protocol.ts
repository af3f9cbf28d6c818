/** Whole numbers for a model, row-major. The thread turns them into the type that the model's input has. */
export interface WholeNumbers {
  dims: readonly number[];
  data: Int32Array;
}

/** What a model answers, row-major. */
export interface Floats {
  dims: readonly number[];
  data: Float32Array;
}

/** What the thread is started with. */
export interface ThreadStart {
  /** Path of the ONNX file. */
  model: string;
  /** What the file's SHA-256 must be, in hex; null where any file will do. */
  sha256: string | null;
  /** One Int32 that is RUNNING while native code must not be interrupted, else IDLE. */
  state: SharedArrayBuffer;
}

export const IDLE = 0;
export const RUNNING = 1;

export interface Job {
  feeds: Readonly<Record<string, WholeNumbers>>;
  /** Names of the outputs that are wanted; all of them float32. */
  fetch: readonly string[];
}

/** What is known of a model once it is loaded. */
export interface LoadedModel {
  /** SHA-256 in hex of the model's file, and of the files of weights beside it where it has some. */
  sha256: string;
  inputs: readonly string[];
  outputs: readonly string[];
}

/** The thread says `loaded` or `failed` once; then one `answer` or `refused` for each job, in order. */
export type ThreadMessage =
  | { kind: 'loaded'; model: LoadedModel }
  | { kind: 'failed'; /** A sentence for the operator. */ reason: string }
  | { kind: 'answer'; outputs: Readonly<Record<string, Floats>> }
  | { kind: 'refused'; reason: string };
