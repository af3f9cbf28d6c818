ALTER TABLE "usage"."operations" ADD COLUMN "safety_flags" text[] NOT NULL DEFAULT '{}';
