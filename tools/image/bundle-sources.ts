/** What of a source map (ECMA-426) is looked at here. */
export interface SourceMapText {
  sources: string[];
  sourcesContent?: (string | null)[];
}

const PACKAGE_FOLDER = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/**
 * Folders of the npm packages of which something is in a bundle, each once and sorted, as `node_modules/pino` from the root of the repository. The bundler's
 * source maps name every module that left code in the bundle; what was shaken off is not in them.
 */
export function packageFolders(maps: readonly SourceMapText[]): string[] {
  const folders = maps.flatMap(({ sources }) => sources).flatMap((source) => PACKAGE_FOLDER.exec(source)?.[0].replace(/^(?:\.\.?\/)+/, '') ?? []);
  return [...new Set(folders)].sort();
}

/** The same map without the sources themselves: it still says from where in them a line of a stack trace is. */
export function withoutContent(map: SourceMapText): SourceMapText {
  return Object.fromEntries(Object.entries(map).filter(([name]) => name !== 'sourcesContent')) as unknown as SourceMapText;
}
