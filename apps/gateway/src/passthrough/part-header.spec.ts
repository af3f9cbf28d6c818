import { describe, expect, test } from '@jest/globals';
import { boundaryOf } from './part-header.ts';

describe('the boundary', () => {
  test.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data; charset=utf-8 ; Boundary="a b\'()+_,-./:=?c"', "a b'()+_,-./:=?c"],
    [`multipart/form-data; boundary=${'x'.repeat(70)}`, 'x'.repeat(70)],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, null],
    ['multipart/form-data', null],
    ['multipart/form-data; boundary=', null],
    ['multipart/form-data; boundary=""', null],
    ['multipart/form-data; boundary="ends with space "', null],
    ['multipart/form-data; boundary="a\\"b"', null],
    ['multipart/form-data; boundary=a=b', null],
    ['multipart/form-data; boundary=ab; boundary=cd', null],
    ['multipart/form-data; boundary=ab;', null],
    ['multipart/mixed; boundary=ab', null],
    ['multipart/form-data boundary=ab', null],
    ['application/json', null],
    ['', null],
  ])('of %j is %j', (contentType, boundary) => expect(boundaryOf(contentType)).toBe(boundary));
});
