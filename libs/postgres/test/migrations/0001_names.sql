ALTER TABLE "example"."things" ADD COLUMN "name" text;
