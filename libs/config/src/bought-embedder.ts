/** An embedder whose vectors are bought: a public model, and the provider that is to serve it. */
export interface BoughtEmbedder {
  provider: string;
  model: string;
}

const OWN = /^(?:built-in$|onnx:)/;

/** What `cache.semantic.embedder` names; null for an embedder that runs in the semantic-cache (`built-in`, `onnx:<folder>`). */
export function boughtEmbedder(embedder: string): BoughtEmbedder | null {
  const colon = embedder.indexOf(':');
  return OWN.test(embedder) || colon < 0 ? null : { provider: embedder.slice(0, colon), model: embedder.slice(colon + 1) };
}
