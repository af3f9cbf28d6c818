import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { adminPlace } from './admin/admin-place.ts';
import { AdminModule } from './admin/admin.module.ts';
import { AdminSurface } from './admin/admin-surface.ts';
import { ApiController } from './api.controller.ts';
import { EmbeddingsPipeline } from './embeddings/embeddings.pipeline.ts';
import { ErrorFilter } from './error.filter.ts';
import { ClientAddresses } from './keys/client-address.ts';
import { KeyRing } from './keys/key-ring.ts';
import { ModelsController } from './models/models.controller.ts';
import { ModelCallPipeline } from './passthrough/model-call.pipeline.ts';
import { ObjectsPipeline } from './passthrough/objects.pipeline.ts';
import { FrontDoor } from './pipeline/front-door.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { RoutingTable } from './plan/routing-table.ts';
import { Runtime } from './runtime.ts';
import { GatewayServices } from './services.ts';

/** What controllers ask for, out of the services that `GatewayServices` puts together. */
function provided<T>(type: abstract new (...args: never[]) => T, pick: (services: GatewayServices) => T): FactoryProvider<T> {
  return { provide: type, useFactory: pick, inject: [GatewayServices] };
}

@Module({})
class ServicesModule {}

/** Made once, for every module of the application. */
const servicesModule = (runtime: Runtime): DynamicModule => ({ module: ServicesModule, global: true, providers: [{ provide: Runtime, useValue: runtime }, GatewayServices], exports: [Runtime, GatewayServices] });

@Module({})
export class GatewayModule {
  static forRuntime(runtime: Runtime): DynamicModule {
    const place = adminPlace(runtime.environment);
    return {
      module: GatewayModule,
      imports: [servicesModule(runtime), ...(place.kind === 'beside' ? [AdminModule.serving(provided(AdminSurface, ({ admin }) => admin))] : [])],
      controllers: [ApiController, ModelsController],
      providers: [
        { provide: APP_FILTER, useClass: ErrorFilter },
        provided(KeyRing, (services) => services.keys),
        provided(ClientAddresses, (services) => services.addresses),
        provided(RoutingTable, (services) => services.routing),
        provided(FrontDoor, (services) => services.door),
        provided(Pipeline, (services) => services.pipeline),
        provided(EmbeddingsPipeline, (services) => services.embeddings),
        provided(ModelCallPipeline, (services) => services.models),
        provided(ObjectsPipeline, (services) => services.objects),
      ],
    };
  }
}
