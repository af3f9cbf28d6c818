import { ADMIN_OPERATIONS, MAX_ID_CHARS, pathParameters, type AdminOperation } from '@deja/admin-api';
import { nothingHere } from './admin-access.ts';

/** Where everything of the admin surface stands. */
export const ADMIN_PATH = 'admin/v1';

export interface Route {
  operation: AdminOperation;
  /** What stands in the path, by name, decoded. */
  params: Record<string, string>;
}

/** What an id may be: anything else names nothing, and has no business in a database. */
const ID = new RegExp(`^\\P{Cc}{1,${MAX_ID_CHARS}}$`, 'u');

/** Those without parameters first, so that no id stands in their way. */
const ROUTES = ADMIN_OPERATIONS.map((operation: AdminOperation) => ({ operation, names: pathParameters(operation), pattern: patternOf(operation.path) })).toSorted((a, b) => a.names.length - b.names.length);

/**
 * The operation at an address. Ids may hold slashes, so that a parameter reaches to the end, or to the action behind it.
 * Throws 404 where there is none.
 * @param path below `/admin/v1/`, decoded
 */
export function routeOf(method: string, path: string): Route {
  for (const { operation, names, pattern } of ROUTES) {
    const values = operation.method === method ? pattern.exec(path) : null;
    if (values === null) continue;
    const params = Object.fromEntries(names.map((name, i) => [name, values[i + 1] ?? '']));
    if (Object.values(params).every((id) => ID.test(id))) return { operation, params };
  }
  throw nothingHere();
}

function patternOf(path: string): RegExp {
  const parts = path.split(/(\{\w+\})/).map((part) => (part.startsWith('{') ? '(.+)' : part.replace(/[^\w/-]/g, '\\$&')));
  return new RegExp(`^${parts.join('')}$`, 's');
}
