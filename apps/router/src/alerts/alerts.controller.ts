import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { RouterRpc } from '@deja/contracts';
import { z } from 'zod';
import { parsed, PUBLIC_KEY } from '../parsed-payload.ts';
import { AlertDirectory } from './alert-directory.ts';

const ALERT_SETTINGS = z.object({ known: z.string().max(64).nullable(), publicKey: PUBLIC_KEY });

/** What usage-workers ask for alerts. See RouterRpc in the contracts. */
@Controller()
export class AlertsController {
  constructor(private readonly alerts: AlertDirectory) {}

  @MessagePattern('alert_settings')
  settings(@Payload() payload: unknown): Promise<RouterRpc['alert_settings']['reply']> {
    return this.alerts.settings(parsed(ALERT_SETTINGS, payload));
  }
}
