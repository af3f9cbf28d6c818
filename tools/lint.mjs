void import('./bootstrap.mjs').then((bootstrap) => bootstrap.run('run-lint.ts', process.argv.slice(2)));
