/** Where the shipped models are. The same place from src/ and from out/, which lie equally deep in the repository. */
export const MODELS = new URL('../../../models/', import.meta.url);
