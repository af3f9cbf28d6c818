import { defineConfig } from 'rolldown';
// optional peers of Nest/BullMQ which are loaded lazily: leave them out of the bundle
const optional = ['@grpc/grpc-js','@grpc/proto-loader','@nats-io/transport-node','amqplib','amqp-connection-manager','kafkajs','mqtt','cache-manager','@nestjs/websockets','@nestjs/platform-express','class-validator','class-transformer','@fastify/static','@fastify/view','@fastify/multipart','pg','redis','@valkey/valkey-glide'];
export default defineConfig({
  input: 'src/main.ts', platform: 'node', tsconfig: './tsconfig.json',
  external: (id) => optional.some((o) => id === o || id.startsWith(`${o}/`)),
  resolve: { conditionNames: ['@deja/source', 'node', 'import', 'default'] },
  output: { file: 'out/main.mjs', format: 'esm', minify: true, sourcemap: true, codeSplitting: false, keepNames: true },
});
