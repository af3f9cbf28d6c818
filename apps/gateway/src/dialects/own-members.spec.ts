import { expect, test } from '@jest/globals';
import { ownMember, setMember } from './own-members.ts';

test('a member of any name is the object’s own, and no other object gets one', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a']) {
    const object = {};
    expect(ownMember(object, name)).toBeUndefined();
    setMember(object, name, { planted: true });
    expect(ownMember(object, name)).toEqual({ planted: true });
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  }
  expect(({} as { planted?: boolean }).planted).toBeUndefined();
});
