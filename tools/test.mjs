// Must be understood by any Node, however old: it is what says that a Node is too old.
if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error('deja needs Node 20 or newer, but this is ' + process.version + ': install a newer one from https://nodejs.org, then type npm test again.');
  process.exit(1);
} else if (process.platform === 'win32') {
  console.error('deja runs on Linux and macOS: on Windows use it in WSL, or with docker compose up.');
  process.exit(1);
} else {
  void import('./bootstrap.mjs').then(function (bootstrap) {
    return bootstrap.run('run-tests.ts', process.argv.slice(2), { variables: { NODE_COMPILE_CACHE: bootstrap.COMPILED } });
  });
}
