-- Whose requests a gateway refuses first when it has too many.
ALTER TABLE "router"."client_keys" ADD COLUMN "priority" text NOT NULL DEFAULT 'interactive' CHECK ("priority" IN ('interactive', 'batch'));
