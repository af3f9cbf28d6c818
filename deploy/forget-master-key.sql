-- When a master key is lost for good: deletes what nobody can open any more, so that routers start with a new one. docs/deploy.md, disasters.
--   psql … -c "set deja.lost = 'main'" -f deploy/forget-master-key.sql          the name of the key, as the router's last sentence has it
-- First look everywhere for a copy of the key: with it nothing is lost. Stop all routers before; afterwards start them with the new key, then restart the gateways,
-- which know data keys for ten minutes. Client keys, tenants, the audit log and the ledger do not hang on it, and
-- stay. What is listed is to be put in again by the admin API: credentials, and alert rules. Bodies that were captured until then are unreadable (`shredded`).
begin;
lock table router.credentials, router.credential_values, router.data_keys, router.alert_rules, router.intake_key, router.master_keys;
delete from router.credentials where id in (select credential from router.credential_values where key_id = current_setting('deja.lost')) returning 'credential' as gone, provider, name, tenant, base_url;
delete from router.alert_rules where key_id = current_setting('deja.lost') returning 'alert rule' as gone, name, condition, shown as receivers;
delete from router.data_keys where key_id = current_setting('deja.lost') returning 'bodies until now' as gone, tenant;
delete from router.intake_key where key_id = current_setting('deja.lost');
delete from router.master_keys where key_id = current_setting('deja.lost');
update router.cluster set credentials_revision = credentials_revision + 1;
commit;
