import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appProgram, APPS } from '@deja/launcher';

/**
 * Has Node keep what it compiles of the apps (NODE_COMPILE_CACHE), by loading each once: PORT=x ends an app when it has been loaded. An app that runs would
 * write it when it ends, and by then Node has dropped much of what only a start needs. An app that fails here fails again when it is started, and is heard then.
 */
export async function compileApps(root: string, signal: AbortSignal): Promise<void> {
  await Promise.all(
    APPS.map(async (app) => {
      // Under the flags it is started with: Node keeps what it compiled under others apart.
      const { command, args } = appProgram(app, root);
      const child = spawn(command, args, { env: { ...process.env, PORT: 'x' }, stdio: 'ignore', signal });
      await once(child, 'close').catch(() => {}); // interrupted
    }),
  );
}
