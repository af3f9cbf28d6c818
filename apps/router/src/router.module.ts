import { Module, type DynamicModule } from '@nestjs/common';
import { AdminController } from './admin/admin.controller.ts';
import { Changes } from './admin/changes.ts';
import { AdminDispatcher } from './admin/dispatcher.ts';
import { TokenDirectory } from './admin-tokens/token-directory.ts';
import { AlertDirectory } from './alerts/alert-directory.ts';
import { AlertsController } from './alerts/alerts.controller.ts';
import { ConfigFile } from './config-file.ts';
import { ConfigurationInForce } from './configuration-in-force.ts';
import { KeyDirectory } from './keys/key-directory.ts';
import { ObjectDirectory } from './objects/object-directory.ts';
import { Pool } from './pool/pool.ts';
import { RouterController } from './router.controller.ts';
import { RouterMetrics } from './router-metrics.ts';
import { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';
import { TenantsRepository } from './tenants/tenants.repository.ts';
import { CredentialVault } from './vault/credential-vault.ts';
import { DataKeys } from './vault/data-keys.ts';
import { VaultController } from './vault/vault.controller.ts';

/** What the controller works with; each made once by `startRouter`. */
export interface RouterParts {
  keys: KeyDirectory;
  vault: CredentialVault;
  configFile: ConfigFile;
  inForce: ConfigurationInForce;
  pool: Pool;
  publisher: SnapshotPublisher;
  metrics: RouterMetrics;
  objects: ObjectDirectory;
  tokens: TokenDirectory;
  tenants: TenantsRepository;
  changes: Changes;
  dispatcher: AdminDispatcher;
  dataKeys: DataKeys;
  alerts: AlertDirectory;
}

@Module({})
export class RouterModule {
  static of(parts: RouterParts): DynamicModule {
    return {
      module: RouterModule,
      controllers: [RouterController, VaultController, AdminController, AlertsController],
      providers: [
        { provide: KeyDirectory, useValue: parts.keys },
        { provide: CredentialVault, useValue: parts.vault },
        { provide: ConfigFile, useValue: parts.configFile },
        { provide: ConfigurationInForce, useValue: parts.inForce },
        { provide: Pool, useValue: parts.pool },
        { provide: SnapshotPublisher, useValue: parts.publisher },
        { provide: RouterMetrics, useValue: parts.metrics },
        { provide: ObjectDirectory, useValue: parts.objects },
        { provide: Changes, useValue: parts.changes },
        { provide: TokenDirectory, useValue: parts.tokens },
        { provide: TenantsRepository, useValue: parts.tenants },
        { provide: AdminDispatcher, useValue: parts.dispatcher },
        { provide: DataKeys, useValue: parts.dataKeys },
        { provide: AlertDirectory, useValue: parts.alerts },
      ],
    };
  }
}
