// Checks one deja.yaml in a thread of its own: reading a megabyte of YAML takes a second and more, in which the router would answer no gateway.
// Started by `configVerdict`, by the URL of this file.
import { checkConfig } from '@deja/config';
import { parentPort, workerData } from 'node:worker_threads';
import type { ConfigCheck } from './config-problems.ts';

const { yaml, environment } = workerData as ConfigCheck;
parentPort?.postMessage(checkConfig(yaml, environment));
