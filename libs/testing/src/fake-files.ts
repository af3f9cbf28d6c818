import type { Call, Reply } from './fake-call.ts';
import { refuse } from './fake-call.ts';
import type { FormFile, FormValue } from './fake-provider-steps.ts';
import { CREATED_S, isRecord, wordOf } from './fake-provider-wire.ts';
import { page, type StoredBatch } from './fake-store.ts';

const DAY_S = 86_400;

const noFile = (id: string): Reply => refuse(404, `No such File object: ${id}`, 'id');
const noBatch = (id: string): Reply => refuse(404, `No batch found with id '${id}'.`);

const isFile = (value: FormValue | FormValue[] | undefined): value is FormFile => isRecord(value);

/** POST files: a form with `file` and `purpose`. */
export function createFile({ request, store, fileContents }: Call): Reply {
  const { file, purpose } = request.form ?? {};
  if (!isFile(file)) return refuse(400, "Missing required parameter: 'file'.", 'file', 'missing_required_parameter');
  if (typeof purpose !== 'string') return refuse(400, "Missing required parameter: 'purpose'.", 'purpose', 'missing_required_parameter');
  const object = keep({ store }, fileContents.get(file.sha256) ?? Buffer.alloc(0), file.filename, purpose);
  return { body: object };
}

function keep({ store }: Pick<Call, 'store'>, content: Buffer, filename: string, purpose: string): Record<string, unknown> {
  const id = store.newId('file-');
  const object = { id, object: 'file', bytes: content.length, created_at: CREATED_S, filename, purpose, status: 'processed' };
  store.files.set(id, { object, content });
  return object;
}

/** GET files, of one `purpose` if wanted. */
export function listFiles({ store, query }: Call): Reply {
  const purpose = query.get('purpose');
  const files = [...store.files.values()].map(({ object }) => object).filter((object) => purpose === null || object['purpose'] === purpose);
  return { body: page(files, query, 10_000) };
}

/** GET files/{id}. */
export function retrieveFile({ store }: Call, id = ''): Reply {
  const found = store.files.get(id);
  return found === undefined ? noFile(id) : { body: found.object };
}

/** GET files/{id}/content. */
export function fileContent({ store }: Call, id = ''): Reply {
  const found = store.files.get(id);
  return found === undefined ? noFile(id) : { contentType: 'application/octet-stream', body: found.content };
}

/** DELETE files/{id}. */
export function deleteFile({ store }: Call, id = ''): Reply {
  return store.files.delete(id) ? { body: { id, object: 'file', deleted: true } } : noFile(id);
}

/** POST batches: of a file that this credential has. */
export function createBatch({ request, store }: Call): Reply {
  const body = isRecord(request.body) ? request.body : {};
  const input = wordOf(body['input_file_id']);
  if (!store.files.has(input)) return refuse(400, `Invalid 'input_file_id': No such File object: ${input}`, 'input_file_id');
  const id = store.newId('batch_');
  const object: Record<string, unknown> = {
    id, object: 'batch', endpoint: body['endpoint'], errors: null, input_file_id: input, completion_window: body['completion_window'] ?? '24h',
    status: 'validating', output_file_id: null, error_file_id: null, created_at: CREATED_S, in_progress_at: null, expires_at: CREATED_S + DAY_S, finalizing_at: null,
    completed_at: null, failed_at: null, expired_at: null, cancelling_at: null, cancelled_at: null, request_counts: { total: 0, completed: 0, failed: 0 },
    metadata: body['metadata'] ?? null,
  };
  store.batches.set(id, { object, state: 'validating' });
  return { body: object };
}

/** GET batches. */
export const listBatches = ({ store, query }: Call): Reply => ({ body: page([...store.batches.values()].map(({ object }) => object), query, 20) });

/** GET batches/{id}: a batch is done, or its cancellation is, as soon as someone looks. */
export function retrieveBatch(call: Call, id = ''): Reply {
  const batch = call.store.batches.get(id);
  if (batch === undefined) return noBatch(id);
  if (batch.state === 'validating') complete(call, batch);
  if (batch.state === 'cancelling') become(batch, 'cancelled', { cancelled_at: CREATED_S });
  return { body: batch.object };
}

/** POST batches/{id}/cancel. */
export function cancelBatch({ store }: Call, id = ''): Reply {
  const batch = store.batches.get(id);
  if (batch === undefined) return noBatch(id);
  if (batch.state === 'completed' || batch.state === 'cancelled') return refuse(409, `Cannot cancel a batch with status '${batch.state}'.`);
  become(batch, 'cancelling', { cancelling_at: CREATED_S });
  return { body: batch.object };
}

function become(batch: StoredBatch, state: StoredBatch['state'], more: object): void {
  batch.state = state;
  batch.object = { ...batch.object, status: state, ...more };
}

/** Answers every line of the input file into an output file. */
function complete(call: Call, batch: StoredBatch): void {
  const content = call.store.files.get(wordOf(batch.object['input_file_id']))?.content.toString('utf8') ?? '';
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  let failed = 0;
  const answers = lines.map((line, i) => {
    const asked = parse(line);
    const { status = 200, body } = call.ask(wordOf(asked['url']), asked['body']);
    if (status !== 200) failed += 1;
    return JSON.stringify({ id: `batch_req_${i}`, custom_id: asked['custom_id'] ?? null, response: { status_code: status, request_id: `req_${i}`, body }, error: null });
  });
  const output = keep(call, Buffer.from(answers.map((line) => `${line}\n`).join('')), `${wordOf(batch.object['id'])}_output.jsonl`, 'batch_output');
  const counts = { total: lines.length, completed: lines.length - failed, failed };
  become(batch, 'completed', { output_file_id: output['id'], in_progress_at: CREATED_S, finalizing_at: CREATED_S, completed_at: CREATED_S, request_counts: counts });
}

function parse(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : {};
  } catch {
    return {}; // no request: it fails like one for a path that does not exist
  }
}
