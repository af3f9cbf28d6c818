import OpenAI, { toFile } from 'openai';
import { digest, type Caller } from './normalise.ts';
import { all, MODEL } from './openai-node-chat.ts';

const bytesOf = async (reply: Promise<Response>): Promise<object> => {
  const response = await reply;
  return { type: response.headers.get('content-type'), ...digest(Buffer.from(await response.arrayBuffer())) };
};

export async function mediaCalls(client: OpenAI, call: Caller): Promise<void> {
  const picture = await toFile(Buffer.from('Node: picture'), 'picture.png', { type: 'image/png' });
  const recording = await toFile(Buffer.from('Node: recording'), 'recording.mp3', { type: 'audio/mpeg' });
  const { images, audio } = client;
  await call('images: generate', () => images.generate({ model: 'gpt-image-1', prompt: 'Node draws a cat', n: 2, size: '1024x1024' }));
  await call('images: generate, streamed', () => all(images.generate({ model: 'gpt-image-1', prompt: 'Node draws a dog', stream: true, partial_images: 2 })));
  await call('images: edit', () => images.edit({ model: 'gpt-image-1', image: picture, prompt: 'Node adds a hat' }));
  await call('images: edit several', () => images.edit({ model: 'gpt-image-1', image: [picture, picture], prompt: 'Node adds two hats' }));
  await call('images: vary', () => images.createVariation({ model: 'dall-e-2', image: picture, n: 1 }));
  await call('audio: speech', () => bytesOf(audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Node says hello.' })));
  await call('audio: speech in another format', () => bytesOf(audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Node says bye.', response_format: 'wav' })));
  await call('audio: transcription', () => audio.transcriptions.create({ model: 'gpt-4o-mini-transcribe', file: recording }));
  await call('audio: transcription, streamed', () => all(audio.transcriptions.create({ model: 'gpt-4o-mini-transcribe', file: recording, stream: true })));
  await call('audio: transcription as text', () => audio.transcriptions.create({ model: 'whisper-1', file: recording, response_format: 'text' }));
  await call('audio: transcription with segments', () => audio.transcriptions.create({ model: 'whisper-1', file: recording, response_format: 'verbose_json', timestamp_granularities: ['segment'] }));
  await call('audio: translation', () => audio.translations.create({ model: 'whisper-1', file: recording }));
}

/** Files of a run that came before may still be there, so lists are looked at for this run's objects alone. */
export async function fileCalls(client: OpenAI, call: Caller): Promise<void> {
  const { files, batches } = client;
  const line = JSON.stringify({ custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: { model: MODEL, messages: [{ role: 'user', content: 'Node asks in a batch.' }] } });
  const own = <T extends { id: string }>(list: T[], id: string | undefined): T[] => list.filter((item) => item.id === id);
  const file = await call('files: create', async () => files.create({ file: await toFile(Buffer.from(`${line}\n`), 'lines.jsonl'), purpose: 'batch' }));
  const id = file?.id ?? 'file-missing';
  await call('files: list', () => all(files.list({ purpose: 'batch', limit: 100 })), (list) => own(list, id));
  await call('files: retrieve', () => files.retrieve(id));
  await call('files: content', () => files.content(id).then((reply) => reply.text()));
  const ask = { input_file_id: id, endpoint: '/v1/chat/completions' as const, completion_window: '24h' as const, metadata: { run: 'nightly' } };
  const batch = await call('batches: create', () => batches.create(ask));
  const done = await call('batches: retrieve', () => batches.retrieve(batch?.id ?? 'batch_missing'));
  await call('batches: output', () => files.content(done?.output_file_id ?? 'file-missing').then((reply) => reply.text()), (text) => JSON.parse(text) as unknown);
  const second = await call('batches: create another', () => batches.create(ask));
  await call('batches: cancel', () => batches.cancel(second?.id ?? 'batch_missing'));
  await call('batches: list', () => all(batches.list({ limit: 100 })), (list) => own(list, batch?.id));
  await call('files: delete', () => files.delete(id));
  await call('files: retrieve what was deleted', () => files.retrieve(id));
}
