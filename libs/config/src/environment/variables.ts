import { networkOf } from '../ip-address.ts';
import { ConfigError } from './config-error.ts';
import type { Variables } from './secret-files.ts';

/** A variable's value without blanks around it; null where it is absent or empty. */
export function text({ values }: Variables, name: string): string | null {
  const value = values[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

/** What a sentence about a variable begins with: its name, or its file where it has one. */
export function subject({ files }: Variables, name: string): string {
  const file = files.get(name);
  return file === undefined ? name : `${name}_FILE: the file ${file}`;
}

/** The parts of a comma-separated list, without blanks and empty ones. */
export function listOf(value: string): string[] {
  return value.split(',').map((part) => part.trim()).filter((part) => part !== '');
}

/** A port; 0 asks the system for a free one. */
export function port(variables: Variables, name: string): number | null {
  const value = text(variables, name);
  if (value === null) return null;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) {
    throw new ConfigError(`${name} must be a port between 0 and 65535, but it is ${JSON.stringify(value)}.`);
  }
  return number;
}

/** A whole number that is not negative. */
export function count(variables: Variables, name: string): number | null {
  const value = text(variables, name);
  if (value === null) return null;
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(Number(value))) throw new ConfigError(`${name} must be a whole number, 0 or more, but it is ${JSON.stringify(value)}.`);
  return Number(value);
}

/** A whole number above 0. */
export function atLeastOne(variables: Variables, name: string): number | null {
  const number = count(variables, name);
  if (number === 0) throw new ConfigError(`${name} must be a whole number, 1 or more, but it is 0.`);
  return number;
}

/** A whole number; `what` it is, for the error. */
export function within(variables: Variables, name: string, { least, most }: { least: number; most: number }, what: string): number | null {
  const value = text(variables, name);
  if (value === null) return null;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
  if (number < least || number > most) throw new ConfigError(`${name} must be ${what} between ${least} and ${most}, but it is ${JSON.stringify(value)}.`);
  return number;
}

/** Seconds between 0 and `most`, fractions allowed, as whole milliseconds. */
export function secondsInMs(variables: Variables, name: string, most: number): number | null {
  const value = text(variables, name);
  if (value === null) return null;
  if (!/^\d+(\.\d+)?$/.test(value) || Number(value) > most) throw new ConfigError(`${name} must be a number of seconds between 0 and ${most}, but it is ${JSON.stringify(value)}.`);
  return Math.round(Number(value) * 1000);
}

export function onOff(variables: Variables, name: string): boolean | null {
  const value = text(variables, name);
  if (value !== null && value !== 'on' && value !== 'off') throw new ConfigError(`${name} must be on or off, but it is ${JSON.stringify(value)}.`);
  return value === null ? null : value === 'on';
}

export function networks(variables: Variables, name: string): string[] {
  const given = listOf(text(variables, name) ?? '');
  const bad = given.find((network) => networkOf(network) === null);
  if (bad !== undefined) throw new ConfigError(`${name} must be a list of networks and addresses, as 10.0.0.0/8,192.0.2.1, but it has ${JSON.stringify(bad)}.`);
  return given;
}

/** A bearer token: what fits in an HTTP header, so that it can be sent at all. */
export function key(variables: Variables, name: string, because = 'because clients send it'): string | null {
  const value = text(variables, name);
  if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError(`${subject(variables, name)} must be printable ASCII without blanks, ${because} in an HTTP header.`);
  }
  return value;
}

export function url(variables: Variables, name: string, protocols: string[]): string | null {
  const value = text(variables, name);
  if (value === null) return null;
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    // The value is not repeated: it may hold a password.
    throw new ConfigError(`${subject(variables, name)} must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}.`);
  }
  return value;
}
