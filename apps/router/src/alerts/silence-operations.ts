import { DejaError, newId } from '@deja/contracts';
import { checkMatch, etagOf } from '../admin/changes.ts';
import type { Handlers } from '../admin/handlers.ts';
import { afterOf, isUuid, pageOf } from '../admin/pages.ts';
import { silenceObject } from './alert-object.ts';
import type { AlertParts } from './alert-operations.ts';
import type { StoredSilence } from './alert-silences.repository.ts';

const LIST = 'silences';
/** It is never changed. */
const ETAG = etagOf(1);

type SilenceOperation = 'createSilence' | 'listSilences' | 'deleteSilence';

/** The operations of the admin API on silences of alerts. */
export function silenceOperations({ rules, silences, inForce, now = Date.now }: Pick<AlertParts, 'rules' | 'silences' | 'inForce' | 'now'>): Pick<Handlers, SilenceOperation> {
  return {
    async createSilence({ by, body: { alert, labels, starts_at: starts, ends_at: ends, comment } }, tx) {
      const at = new Date(now());
      const silence: StoredSilence = { id: newId(), alert: alert ?? null, labels, startsAt: starts === undefined ? at : new Date(starts), endsAt: new Date(ends), comment, createdBy: by.name, createdAt: at };
      checkSpan(silence, at);
      // A name that is misspelt would silence nothing, and nobody would know.
      const isNamed = alert === undefined || inForce.configuration.alerts.some(({ rule }) => rule.name === alert) || (await rules.hasName(tx, alert));
      if (!isNamed) throw new DejaError('invalid_value', 'There is no alert rule of this name: GET /admin/v1/alerts lists those there are.', { param: 'alert' });
      await silences.insert(tx, silence);
      const body = silenceObject(silence);
      return { body, etag: ETAG, audit: { action: 'createSilence', resource: 'alert_silence', resourceId: silence.id, tenant: null, before: null, after: body } };
    },

    async listSilences({ query }) {
      const after = afterOf(LIST, query.cursor, isUuid);
      return { body: pageOf(LIST, await silences.list(new Date(now()), after, query.limit + 1), query.limit, silenceObject), etag: null };
    },

    async deleteSilence(call, tx) {
      const { id = '' } = call.params;
      const silence = isUuid(id) ? await silences.lock(tx, id) : null;
      if (silence === null || silence.endsAt.getTime() <= now()) throw new DejaError('not_found', 'There is no silence with this id that is not over.', { param: 'id' });
      checkMatch(call, 1);
      await silences.delete(tx, id);
      return { body: { object: 'alert_silence', id, deleted: true }, etag: null, audit: { action: 'deleteSilence', resource: 'alert_silence', resourceId: id, tenant: null, before: silenceObject(silence), after: null } };
    },
  };
}

function checkSpan({ startsAt, endsAt }: Pick<StoredSilence, 'startsAt' | 'endsAt'>, at: Date): void {
  if (endsAt.getTime() <= at.getTime()) throw new DejaError('invalid_value', 'It would be over already: give a moment to come.', { param: 'ends_at' });
  if (endsAt.getTime() <= startsAt.getTime()) throw new DejaError('invalid_value', 'It would end before it begins: give a moment after starts_at.', { param: 'ends_at' });
}
