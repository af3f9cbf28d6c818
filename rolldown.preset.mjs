import { readFileSync } from 'node:fs';
import http from 'node:http';
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

/** An image has no package.json: what deja_build_info tells is put in here. */
const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'));

/** Members of node:http that are loaded when they are read, and with them Node's own fetch. Whoever imports that module reads all of them; nobody here wants these. */
const LATE = ['WebSocket', 'CloseEvent', 'MessageEvent'];
const HTTP = '\0light-http';

/** `import … from 'node:http'` without what it would load besides: 70 ms less at the start of every app, and no second undici in memory. */
const lightHttp = {
  name: 'light-http',
  resolveId: (id, _importer, { kind }) => (kind === 'import-statement' && /^(?:node:)?http$/.test(id) ? HTTP : null),
  load: (id) =>
    id === HTTP ? `const http = process.getBuiltinModule('node:http');\nexport default http;\nexport const { ${Object.keys(http).filter((name) => !LATE.includes(name)).join(', ')} } = http;` : null,
};

/**
 * One app, one folder: everything it imports is in the bundle, so that it starts fast and an image needs no node_modules.
 * What is imported when it is first needed (the tokenizer's vocabularies) stays in files of its own.
 */
export default defineConfig({
  input: { main: 'src/main.ts' },
  platform: 'node',
  tsconfig: './tsconfig.json',
  external: (id) => [...absent, ...native].some((name) => id === name || id.startsWith(`${name}/`)),
  transform: { define: { DEJA_VERSION: JSON.stringify(version) } },
  plugins: [lightHttp],
  resolve: { conditionNames: ['@deja/source', 'node', 'default'] },
  output: { dir: 'out', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs', format: 'esm', minify: true, sourcemap: true, codeSplitting: true, cleanDir: true, keepNames: true },
});
