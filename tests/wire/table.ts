import { adminCalls } from './admin.ts';
import { ids, queries } from './addresses.ts';
import type { BadInput, Known } from './bad-input.ts';
import { contentTypes, jsonBodies } from './bodies.ts';
import { wrongTypes } from './fields.ts';
import { forms } from './forms.ts';
import { chunks, framing } from './framing.ts';
import { headerLines, requestLines, upgrades } from './heads.ts';
import { credentials, ownHeaders } from './request-headers.ts';

/** Every kind of bad input, by what is bad about it. */
export const TABLES: Record<string, (known: Known) => BadInput[]> = {
  'a first line': requestLines,
  'a header': headerLines,
  'an upgrade, an expectation, or a second request on the connection': upgrades,
  'a length': framing,
  'a chunk': chunks,
  'a body': jsonBodies,
  'a type or an encoding of a body': contentTypes,
  'a field of a wrong type': wrongTypes,
  'a form': forms,
  'a credential': credentials,
  'a header of deja’s own': ownHeaders,
  'an id': ids,
  'a query or an address': queries,
  'a call of the admin API': adminCalls,
};
