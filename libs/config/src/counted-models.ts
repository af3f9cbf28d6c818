import type { ModelConfig } from './deja-config.ts';
import type { FormProblem } from './form.ts';
import { checkServed } from './models.ts';
import type { FileConfig } from './schema.ts';

const SCOPES = ['global', 'per_tenant', 'per_key', 'per_user'] as const;

/** A limit or budget of a model that nobody serves would hold for nothing: it is taken for a mistyped name. */
export function checkCountedModels({ limits, budgets }: Pick<FileConfig, 'limits' | 'budgets'>, models: ModelConfig[], problems: FormProblem[]): void {
  for (const scope of SCOPES) {
    for (const name of Object.keys(limits[scope].models ?? {})) check(name, models, ['limits', scope, 'models', name], problems);
    budgets[scope].forEach(({ model }, index) => {
      if (model !== undefined) check(model, models, ['budgets', scope, index, 'model'], problems);
    });
  }
}

function check(name: string, models: ModelConfig[], path: (string | number)[], problems: FormProblem[]): void {
  if (name === '*') problems.push({ path, message: '"*" stands for any name: write the name of a model, or leave the model out to count all' });
  else checkServed(name, models, path, problems);
}
