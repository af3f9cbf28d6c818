import type { Call, Endpoint, Reply } from './fake-call.ts';
import { refuse } from './fake-call.ts';
import { anthropicMessages, geminiEmbed, geminiGenerate } from './fake-dialects.ts';
import { cancelBatch, createBatch, createFile, deleteFile, fileContent, listBatches, listFiles, retrieveBatch, retrieveFile } from './fake-files.ts';
import { imageEdits, imageGenerations, speech, transcriptions, translations } from './fake-media.ts';
import { modelObject } from './fake-provider-wire.ts';
import { cancelResponse, createResponse, deleteResponse, responseInputItems, retrieveResponse } from './fake-responses.ts';
import { chatCompletions, completions, embeddings, moderations } from './fake-texts.ts';

/** Everything the fake provider answers, whatever stands before the path. */
const ENDPOINTS: [method: string, path: RegExp, endpoint: Endpoint][] = [
  ['POST', /\/chat\/completions$/, chatCompletions],
  ['POST', /\/completions$/, completions],
  ['POST', /\/embeddings$/, embeddings],
  ['POST', /\/moderations$/, moderations],
  ['GET', /\/models$/, ({ models }) => ({ body: { object: 'list', data: models.map(modelObject) } })],
  ['GET', /\/models\/(.+)$/, (_, id = '') => ({ body: modelObject(decodeURIComponent(id)) })],
  ['POST', /\/responses$/, createResponse],
  ['GET', /\/responses\/([^/]+)$/, retrieveResponse],
  ['DELETE', /\/responses\/([^/]+)$/, deleteResponse],
  ['POST', /\/responses\/([^/]+)\/cancel$/, cancelResponse],
  ['GET', /\/responses\/([^/]+)\/input_items$/, responseInputItems],
  ['POST', /\/images\/generations$/, imageGenerations],
  ['POST', /\/images\/(?:edits|variations)$/, imageEdits],
  ['POST', /\/audio\/speech$/, speech],
  ['POST', /\/audio\/transcriptions$/, transcriptions],
  ['POST', /\/audio\/translations$/, translations],
  ['POST', /\/files$/, createFile],
  ['GET', /\/files$/, listFiles],
  ['GET', /\/files\/([^/]+)$/, retrieveFile],
  ['GET', /\/files\/([^/]+)\/content$/, fileContent],
  ['DELETE', /\/files\/([^/]+)$/, deleteFile],
  ['POST', /\/batches$/, createBatch],
  ['GET', /\/batches$/, listBatches],
  ['GET', /\/batches\/([^/]+)$/, retrieveBatch],
  ['POST', /\/batches\/([^/]+)\/cancel$/, cancelBatch],
  ['POST', /\/messages$/, anthropicMessages],
  ['POST', /\/models\/([^/]+):(generateContent|streamGenerateContent)$/, geminiGenerate],
  ['POST', /\/models\/([^/]+):(embedContent|batchEmbedContents)$/, geminiEmbed],
];

/** The model that the path of an Azure deployment or of Gemini names. */
export const modelInPath = (path: string): string | undefined => /\/openai\/deployments\/([^/]+)\//.exec(path)?.[1] ?? /\/models\/([^/]+):[a-zA-Z]+$/.exec(path)?.[1];

/** Whether a request runs a model or makes something, and so takes a step of the script; looking things up and cancelling does not. */
export const takesStep = (method: string, path: string): boolean => method === 'POST' && !path.endsWith('/cancel');

/** What is answered to a request whose step asks for nothing else. `path` without the query. */
export function replyTo(call: Call, method: string, path: string): Reply {
  // Azure finds nothing without a version ("Azure OpenAI REST API reference"); its newer paths under /openai/v1 need none.
  if (path.includes('/openai/deployments/') && !call.query.has('api-version')) return { status: 404, body: { error: { code: '404', message: 'Resource not found' } } };
  for (const [wanted, pattern, endpoint] of ENDPOINTS) {
    const match = wanted === method ? pattern.exec(path) : null;
    if (match !== null) return endpoint(call, ...match.slice(1));
  }
  return refuse(404, `fake provider has no ${path}`);
}
