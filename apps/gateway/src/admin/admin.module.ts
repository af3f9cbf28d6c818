import { All, Controller, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ErrorFilter } from '../error.filter.ts';
import { Runtime } from '../runtime.ts';
import { nothingHere } from './admin-access.ts';
import { AdminController } from './admin.controller.ts';
import { AdminSurface } from './admin-surface.ts';

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
