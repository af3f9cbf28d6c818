ALTER TABLE "usage"."operations" ADD COLUMN "saved_ms" double precision;
