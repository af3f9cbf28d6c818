import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ChatController } from './chat/chat.controller.ts';
import { ChatPipeline } from './chat/chat.pipeline.ts';
import { ErrorFilter } from './error.filter.ts';
import { KeyRing } from './keys/key-ring.ts';
import { ModelsController } from './models/models.controller.ts';
import { RoutingTable } from './plan/routing-table.ts';
import { Runtime } from './runtime.ts';
import { GatewayServices } from './services.ts';

/** What controllers ask for, out of the services that `GatewayServices` puts together. */
function provided<T>(type: abstract new (...args: never[]) => T, pick: (services: GatewayServices) => T): FactoryProvider<T> {
  return { provide: type, useFactory: pick, inject: [GatewayServices] };
}

@Module({})
export class GatewayModule {
  static forRuntime(runtime: Runtime): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [ChatController, ModelsController],
      providers: [
        { provide: Runtime, useValue: runtime },
        { provide: APP_FILTER, useClass: ErrorFilter },
        GatewayServices,
        provided(KeyRing, (services) => services.keys),
        provided(RoutingTable, (services) => services.routing),
        provided(ChatPipeline, (services) => services.chat),
      ],
    };
  }
}
