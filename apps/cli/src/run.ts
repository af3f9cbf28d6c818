import { Command, CommanderError } from 'commander';
import { AdminApi } from './admin-api.ts';
import { addCommands } from './commands/all-commands.ts';
import { findConnection, type ConnectionOptions } from './connection.ts';
import { CliFailure, EXIT, type ExitCode } from './failure.ts';
import { Printer } from './output/printer.ts';
import { Input } from './secret-input.ts';
import type { World } from './world.ts';

interface GlobalOptions extends ConnectionOptions {
  json?: true;
  idempotencyKey?: string;
}

const HELP = `
For example:
  deja tenants create acme --budget 200/month
  KEY=$(deja keys create "search service" --tenant acme --limit requests_per_minute=60)
  deja usage --by day,model --from 7d

Where the cluster is: --url, else DEJA_URL, else the one that npm start runs here.
Its admin key: --admin-key-file, else DEJA_ADMIN_KEY, else that cluster's own.

Exit codes: 0 good, 1 the API refused, 2 wrong usage, 3 the cluster cannot be reached.
More: docs/cli.md`;

/** One command line from its arguments to its exit code; says itself what went wrong. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const program = new Command('deja');
  const options = (): GlobalOptions => program.opts<GlobalOptions>();
  const print = new Printer(world, () => options().json === true);
  const api = new AdminApi({ connect: () => findConnection(options(), world), wait: world.wait, idempotencyKey: () => options().idempotencyKey });
  withGlobalOptions(program, world);
  addCommands(program, { api, print, input: new Input(world), nowMs: world.nowMs, wait: world.wait });
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.good;
  } catch (error) {
    // Commander has said by then what is wrong, or what was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage;
    if (isClosedPipe(error)) return EXIT.good;
    if (!(error instanceof CliFailure)) throw error;
    await print.failure(error.message, error.hints);
    return error.exitCode;
  }
}

/** Before and after the command's name. Commands that are added later inherit what is set here. */
function withGlobalOptions(program: Command, { stdout, stderr, env }: World): void {
  const width = (stream: World['stdout']): number => (stream.isTTY === true ? (stream.columns ?? 80) : 100);
  const colours = (stream: World['stdout']): boolean => stream.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  program
    .description('Tenants, client keys, usage and all else that the admin API of a deja cluster does.')
    .option('--url <address>', "the gateway's address, as http://127.0.0.1:3000; with DEJA_ADMIN_PORT, that port")
    .option('--admin-key-file <file>', 'file that holds the admin key, or an admin token')
    .option('--json', "print the API's JSON; of lists one array with all rows")
    .option('--idempotency-key <key>', 'repeat a command that broke off with the key that it named, and nothing is done twice')
    .addHelpText('after', HELP)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(deja --help, or --help after any command)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      getOutHelpWidth: () => width(stdout),
      getErrHelpWidth: () => width(stderr),
      getOutHasColors: () => colours(stdout),
      getErrHasColors: () => colours(stderr),
    });
}

const isClosedPipe = (error: unknown): boolean => error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
