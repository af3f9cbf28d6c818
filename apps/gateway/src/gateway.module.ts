import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AdminAccess } from './admin/admin-access.ts';
import { ADMIN_CONTROLLERS } from './admin/admin-surface.ts';
import { Credentials } from './admin/credentials/credentials.ts';
import { Deployments } from './admin/deployments/deployments.ts';
import { PlanExplainer } from './admin/plan/plan-explainer.ts';
import { Vault } from './admin/vault/vault.ts';
import { ApiController } from './api.controller.ts';
import { EmbeddingsPipeline } from './embeddings/embeddings.pipeline.ts';
import { ErrorFilter } from './error.filter.ts';
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
export class GatewayModule {
  static forRuntime(runtime: Runtime): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [ApiController, ModelsController, ...ADMIN_CONTROLLERS],
      providers: [
        { provide: Runtime, useValue: runtime },
        { provide: APP_FILTER, useClass: ErrorFilter },
        GatewayServices,
        provided(KeyRing, (services) => services.keys),
        provided(RoutingTable, (services) => services.routing),
        provided(FrontDoor, (services) => services.door),
        provided(Pipeline, (services) => services.pipeline),
        provided(EmbeddingsPipeline, (services) => services.embeddings),
        provided(ModelCallPipeline, (services) => services.models),
        provided(ObjectsPipeline, (services) => services.objects),
        provided(AdminAccess, ({ admin }) => admin.access),
        provided(Credentials, ({ admin }) => admin.credentials),
        provided(Vault, ({ admin }) => admin.vault),
        provided(Deployments, ({ admin }) => admin.deployments),
        provided(PlanExplainer, ({ admin }) => admin.plans),
      ],
    };
  }
}
