/** Cases that once failed, by parser. Each is fed to its parser again in every run of the tests. */
export const PARSER_REGRESSIONS: readonly { target: string; what: string; text: string }[] = [
  { target: 'config', what: 'a map of very many keys was read in the square of its length', text: Array.from({ length: 16_000 }, (_, i) => `k${i}: 1\n`).join('') },
];
