import { LauncherError } from './launcher-error.ts';

/** The apps, in the order of their ops ports. */
export const APPS = ['gateway', 'router', 'semantic-cache', 'usage-worker'] as const;
export type AppName = (typeof APPS)[number];

/** How many replicas of each app; 0 is none. */
export type Scale = Record<AppName, number>;

const MOST_REPLICAS = 32;

/** `gateway=2,router=2` as numbers; what is not named is 1. Throws a LauncherError that says what is wrong with the text. */
export function parseScale(text: string): Scale {
  const scale: Scale = { gateway: 1, router: 1, 'semantic-cache': 1, 'usage-worker': 1 };
  for (const part of text.split(',').map((piece) => piece.trim()).filter((piece) => piece !== '')) {
    const [name = '', count = ''] = part.split('=').map((piece) => piece.trim());
    const app = APPS.find((known) => known === name);
    if (app === undefined) throw new LauncherError(`--scale knows no app ${JSON.stringify(name)}: write for example --scale gateway=2,router=2 (apps: ${APPS.join(', ')}).`);
    if (!/^\d+$/.test(count) || Number(count) < 1 || Number(count) > MOST_REPLICAS) {
      throw new LauncherError(`--scale ${app} must be a number from 1 to ${MOST_REPLICAS}, but it is ${JSON.stringify(count)}.`);
    }
    scale[app] = Number(count);
  }
  return scale;
}

/** `argv` after the program: `--scale a=2` or `--scale=a=2`, several add up. Throws a LauncherError for anything else. */
export function scaleFromArguments(argv: string[]): Scale {
  const parts: string[] = [];
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--scale') parts.push(rest.shift() ?? '');
    else if (argument.startsWith('--scale=')) parts.push(argument.slice('--scale='.length));
    else throw new LauncherError(`npm start does not know ${JSON.stringify(argument)}: it takes --scale gateway=2,router=2.`);
  }
  return parseScale(parts.join(','));
}
