const DEFAULT_VERSION = 'v1beta';

/**
 * Where a method of a model lives below the host, such as `/v1beta/models/gemini-2.5-flash:generateContent`. The name may
 * begin with `models/` or `tunedModels/`; whatever else stands in it stays one path segment.
 */
export function modelPath(apiVersion: string | null, model: string, method: string): string {
  const { collection, name } = resourceOf(model);
  return `/${encodeURIComponent(apiVersion ?? DEFAULT_VERSION)}/${collection}/${encodeURIComponent(name.toWellFormed())}:${method}`;
}

/** The name as Gemini writes it inside a request body: `models/gemini-embedding-001`. */
export function modelResource(model: string): string {
  const { collection, name } = resourceOf(model);
  return `${collection}/${name}`;
}

function resourceOf(model: string): { collection: 'models' | 'tunedModels'; name: string } {
  if (model.startsWith('tunedModels/')) return { collection: 'tunedModels', name: model.slice('tunedModels/'.length) };
  return { collection: 'models', name: model.startsWith('models/') ? model.slice('models/'.length) : model };
}

/** 2.5 for `gemini-2.5-flash`; null where the name does not say (`gemini-flash-latest`, a tuned model). */
export function generationOf(model: string): number | null {
  const found = /^(?:models\/)?gemini-(\d+(?:\.\d+)?)(?![\d.])/.exec(model)?.[1];
  return found === undefined ? null : Number(found);
}
