import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { CallFrame, CpuProfile, HeapNode, HeapProfile } from '@deja/testing';

const SHOWN = 90;
/** Samples of these are no work. */
const IDLE = new Set(['(idle)', '(program)', '(root)']);

/** Of bundles, by their URL; null where there is none. */
const maps = new Map<string, SourceMap | null>();

function mapOf(url: string): SourceMap | null {
  const known = maps.get(url);
  if (known !== undefined) return known;
  const file = url.startsWith('file:') ? `${fileURLToPath(url)}.map` : '';
  const map = existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8')) as ConstructorParameters<typeof SourceMap>[0]) : null;
  maps.set(url, map);
  return map;
}

/** The function and where it stands in the sources: a package, or a file of ours with its line. */
function placeOf({ functionName, url, lineNumber, columnNumber }: CallFrame): string {
  const entry = mapOf(url)?.findEntry(lineNumber, columnNumber);
  const [file, line] = entry && 'originalSource' in entry ? [entry.originalSource, entry.originalLine] : [url, lineNumber];
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  const place = inPackage === undefined ? `${file.replace(/^.*\/(?=(?:[^/]+\/){2}[^/]+$)/, '')}:${line + 1}` : `${inPackage} ${file.split('/').at(-1)}:${line + 1}`;
  return `${functionName || '(anonymous)'}  ${place}`;
}

/** The same for a whole file or package. */
const roomOf = (place: string): string => (place.split('  ')[1] ?? '').replace(/:\d+$/, '').replace(/^(\S+) \S+$/, '$1');

/** Own time by function and, with all it calls, by function of ours; µs a request. */
export function timeTable({ nodes, samples, timeDeltas }: CpuProfile, requests: number): string {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const own = new Map<string, number>();
  const withCalls = new Map<string, number>();
  const byRoom = new Map<string, number>();
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  let all = 0;
  for (const [i, id] of samples.entries()) {
    const frame = byId.get(id)?.callFrame;
    if (frame === undefined) continue;
    const us = timeDeltas[i] ?? 0;
    if (IDLE.has(frame.functionName) && frame.functionName !== '(program)') continue;
    all += us;
    const at = places.get(id) ?? '';
    own.set(at, (own.get(at) ?? 0) + us);
    byRoom.set(roomOf(at), (byRoom.get(roomOf(at)) ?? 0) + us);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const over = byId.get(at)?.callFrame;
      if (over !== undefined && !IDLE.has(over.functionName)) seen.add(places.get(at) ?? '');
    }
    for (const place of seen) withCalls.set(place, (withCalls.get(place) ?? 0) + us);
  }
  return `${(all / requests).toFixed(0)} µs a request\n\nown time, µs a request\n${top(own, requests)}\n\nown time by file or package, µs a request\n${top(byRoom, requests)}\n\nwith what it calls, µs a request\n${top(withCalls, requests)}`;
}

/** Allocated bytes a request, by function. */
export function allocationTable({ head }: HeapProfile, requests: number): string {
  const own = new Map<string, number>();
  const withCalls = new Map<string, number>();
  const walk = (node: HeapNode, over: Set<string>): void => {
    const place = placeOf(node.callFrame);
    own.set(place, (own.get(place) ?? 0) + node.selfSize);
    const chain = new Set(over).add(place);
    for (const each of chain) withCalls.set(each, (withCalls.get(each) ?? 0) + node.selfSize);
    for (const child of node.children) walk(child, chain);
  };
  walk(head, new Set());
  return `allocated itself, bytes a request\n${top(own, requests)}\n\nwith what it calls, bytes a request\n${top(withCalls, requests)}`;
}

function top(sums: Map<string, number>, requests: number): string {
  return [...sums]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([place, sum]) => `${(sum / requests).toFixed(1).padStart(8)}  ${place}`)
    .join('\n');
}
