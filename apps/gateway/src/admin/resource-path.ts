import { nothingHere } from './admin-access.ts';

/**
 * The id before an action, as in `openai/gpt-4o/drain`: ids may hold slashes, actions do not. Throws 404 for another action.
 * @param path what stands behind the resource's name, decoded
 */
export function idAndAction<A extends string>(path: string, actions: readonly A[]): { id: string; action: A } {
  const at = path.lastIndexOf('/');
  const action = actions.find((known) => known === path.slice(at + 1));
  if (at < 1 || action === undefined) throw nothingHere();
  return { id: path.slice(0, at), action };
}
