import { defineConfig } from 'rolldown';

// Peers that Nest, BullMQ, drizzle and pg load only when somebody asks for them; nobody does.
const absent = [
  '@grpc/grpc-js', '@grpc/proto-loader', '@nats-io/transport-node', 'amqplib', 'amqp-connection-manager', 'kafkajs', 'mqtt', 'cache-manager',
  '@nestjs/websockets', '@nestjs/platform-express', 'class-validator', 'class-transformer', '@fastify/static', '@fastify/view', '@fastify/multipart',
  'pg-native', 'redis', '@valkey/valkey-glide',
];

/** Native code: stays in node_modules, and what needs it does without where it is not installed. */
const native = ['onnxruntime-node'];

/** Of an app that also runs neural models in a thread: in a file of its own, because a thread is started by its URL. */
export const inputWithInference = { main: 'src/main.ts', 'inference-worker': '../../libs/similarity/src/neural/inference-worker.ts' };

/**
 * One app, one folder: everything it imports is in the bundle, so that it starts fast and an image needs no node_modules.
 * What is imported when it is first needed (the tokenizer's vocabularies) stays in files of its own.
 */
export default defineConfig({
  input: { main: 'src/main.ts' },
  platform: 'node',
  tsconfig: './tsconfig.json',
  external: (id) => [...absent, ...native].some((name) => id === name || id.startsWith(`${name}/`)),
  resolve: { conditionNames: ['@deja/source', 'node', 'default'] },
  output: { dir: 'out', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs', format: 'esm', minify: true, sourcemap: true, codeSplitting: true, cleanDir: true, keepNames: true },
});
