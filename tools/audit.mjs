void import('./bootstrap.mjs').then((bootstrap) => bootstrap.run('run-audit.ts', process.argv.slice(2)));
