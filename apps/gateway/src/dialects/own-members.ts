/** The object's own member of this name: `__proto__`, `constructor` and their like are not looked for in its prototype. */
export const ownMember = (object: object, name: string): unknown => (Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined);

/** Gives an object a member of a name that somebody else chose. An assignment to `__proto__` would be one to all objects, or to the prototype of this one. */
export function setMember(object: object, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else (object as Record<string, unknown>)[name] = value;
}
