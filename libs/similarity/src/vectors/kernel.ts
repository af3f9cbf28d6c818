import { DOT_WASM } from './dot.wasm.ts';

/**
 * Writes a pair (row number, dot product), both i32, at `pairs` for each row whose cosine may reach the floor; returns how many.
 * All places are bytes from the start of the memory; what stands there, and what `head` and `tail` are: dot.wat.
 */
export type Near = (question: number, rows: number, squares: number, tails: number, count: number, dimensions: number, head: number, reach: number, tail: number, pairs: number) => number;

/** WebAssembly's memory, by what is used of it. */
export interface LinearMemory {
  /** Another one after each growth; the one before is empty then. */
  readonly buffer: ArrayBuffer;
  /** By so many pages of 64 KiB. Throws a RangeError where there is no room. */
  grow(pages: number): number;
}

/** TypeScript declares WebAssembly with browsers only. */
interface Engine {
  Memory: new (size: { initial: number; maximum: number }) => LinearMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: { vectors: { memory: LinearMemory } }) => { exports: { near: Near } };
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;

export const PAGE_BYTES = 65_536;
/** What 32-bit addresses reach. */
export const MOST_PAGES = 65_536;

let module: object | null = null;

/** A memory of its own with the search that works on it. It takes room as it grows, not before. */
export function openKernel(firstBytes: number): { memory: LinearMemory; near: Near } {
  module ??= new Module(Buffer.from(DOT_WASM, 'base64'));
  const memory = new Memory({ initial: Math.ceil(firstBytes / PAGE_BYTES), maximum: MOST_PAGES });
  return { memory, near: new Instance(module, { vectors: { memory } }).exports.near };
}
