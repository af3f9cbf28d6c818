import { All, Controller, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Environment } from '@deja/config';
import { ErrorFilter } from '../error.filter.ts';
import { Runtime } from '../runtime.ts';
import { nothingHere } from './admin-access.ts';
import { AdminController } from './admin.controller.ts';
import { AdminSurface } from './admin-surface.ts';

/** Where the admin surface is served: nowhere, beside the client's API, or on a port of its own (0: any free one). */
export type AdminPlace = { kind: 'nowhere' } | { kind: 'beside' } | { kind: 'own port'; port: number };

export function adminPlace({ admin, adminKey, adminPort }: Pick<Environment, 'admin' | 'adminKey' | 'adminPort'>): AdminPlace {
  if (!admin || adminKey === null) return { kind: 'nowhere' };
  return adminPort === null ? { kind: 'beside' } : { kind: 'own port', port: adminPort };
}

@Controller()
class NothingElse {
  @All(['', '*'])
  nothing(): never {
    throw nothingHere();
  }
}

/** The admin surface, `/admin/v1`. */
@Module({})
export class AdminModule {
  /** Beside what the application serves besides. */
  static serving(surface: Provider<AdminSurface>): DynamicModule {
    return { module: AdminModule, controllers: [AdminController], providers: [surface] };
  }

  /** As an application of its own. */
  static alone(surface: AdminSurface, runtime: Runtime): DynamicModule {
    return {
      module: AdminModule,
      controllers: [AdminController, NothingElse],
      providers: [{ provide: AdminSurface, useValue: surface }, { provide: Runtime, useValue: runtime }, { provide: APP_FILTER, useClass: ErrorFilter }],
    };
  }
}
