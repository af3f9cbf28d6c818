// What Nest on Fastify takes to start with one route and nothing else; bench/start-up.ts bundles it as the apps are.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

class HealthController {
  health(): string {
    return 'ok';
  }
}
// Called, not written with @: Node itself runs no decorators, and the bench has no build of its own.
Get('/healthz')(HealthController.prototype, 'health', Object.getOwnPropertyDescriptor(HealthController.prototype, 'health') ?? {});
Controller()(HealthController);
class AppModule {}
Module({ controllers: [HealthController] })(AppModule);

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false });
await app.listen(0, '127.0.0.1');
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rssMiB: process.memoryUsage.rss() / 2 ** 20 }));
