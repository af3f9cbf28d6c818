// Health check of an image: `node healthcheck.mjs <ops port>`. Healthy is what says that it is ready.
const port = process.env.OPS_PORT || process.argv[2];
const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) });
console.log((await response.text()).trim());
process.exitCode = response.ok ? 0 : 1;
