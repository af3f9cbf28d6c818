/**
 * What becomes of one request parameter at a provider.
 * - `passed`: sent as it is
 * - `translated`: sent in the provider's own words
 * - `dropped`: the provider lacks it and the answer is still what was asked for; listed in `x-deja-dropped-params`
 * - `refused`: without it the answer would be another one, so the request is not sent (400 that names the parameter)
 */
export type ParamFate = 'passed' | 'translated' | 'dropped' | 'refused';

export interface ParamRule {
  fate: ParamFate;
  /** For people, in docs/parameters.md and in the refusal: why, or into what. */
  note: string;
  /** Whether this value asks for nothing the provider would not do anyway (`n: 1`): then it is neither refused nor listed. */
  isNeutral?: (value: unknown) => boolean;
}

/** By parameter name. What is not listed is unknown to the dialect: dropped and listed. */
export type ParamTable = Readonly<Record<string, ParamRule>>;

const given = (value: unknown): boolean => value !== undefined && value !== null;

const asks = (rule: ParamRule | undefined, value: unknown): boolean => given(value) && !(rule?.isNeutral?.(value) ?? false);

/** Parameters of this body that are left out on the way to the provider, in the order they stand. */
export function droppedParams(table: ParamTable, body: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(body).filter((name) => {
    const rule = Object.hasOwn(table, name) ? table[name] : undefined;
    return asks(rule, body[name]) && (rule === undefined || rule.fate === 'dropped');
  });
}

/** The first parameter that the provider cannot honour, with the reason; null when there is none. */
export function refusedParam(table: ParamTable, body: Readonly<Record<string, unknown>>): { param: string; reason: string } | null {
  for (const name of Object.keys(body)) {
    const rule = Object.hasOwn(table, name) ? table[name] : undefined;
    if (rule?.fate === 'refused' && asks(rule, body[name])) return { param: name, reason: rule.note };
  }
  return null;
}
