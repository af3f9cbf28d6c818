import { PLAN_ENDPOINTS, type BodyInput, type DeploymentObject, type ReplyOf } from '@deja/admin-api';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { CliFailure, EXIT } from '../failure.ts';
import { count, dollars, duration, NOTHING, orNothing } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { healthTone, healthWords } from './credentials.ts';
import { repeatable, rowsWanted, withExtent, word, type Extent } from './options.ts';

type Candidate = ReplyOf<'explainPlan'>['candidates'][number];
interface PlanOptions {
  endpoint?: (typeof PLAN_ENDPOINTS)[number];
  tenant?: string;
  body?: string;
  region?: string;
  tag?: string[];
}

export const deploymentCommands: Commands = (program, cli) => {
  const deployments = program.command('deployments').description('models at providers, with their health');
  const said = (deployment: DeploymentObject): string[] => described(deployment, cli);
  withExtent(deployments.command('list').description('deployments')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listDeployments'>(cli.api.pages('listDeployments', {}, rowsWanted(options, command)), COLUMNS, 'There are no deployments.');
  });
  deployments.command('get <id>').description('one deployment, as openai/gpt-4o').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getDeployment', { path: { id } }), said);
  });
  deployments.command('drain <id>').description('send it no new requests; those under way end as they would have').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('drainDeployment', { path: { id } }), said);
  });
  deployments.command('resume <id>').description('send it requests again').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('resumeDeployment', { path: { id } }), said);
  });
};

export const planCommands: Commands = (program, cli) => {
  program.command('plan').description('where requests go').command('explain <model>').description('why a request for this model goes where it goes')
    .addOption(new Option('--endpoint <name>', 'chat/completions unless said').choices(PLAN_ENDPOINTS))
    .option('--tenant <id>', 'whose request it is')
    .option('--body <file>', 'the request, as JSON; - is standard input')
    .option('--region <region>', 'what the request requires')
    .addOption(repeatable('--tag <tag>', 'what the request requires; again for more', word))
    .action(async (model: string, options: PlanOptions) => {
      const answer = await cli.api.call('explainPlan', { body: { model, ...(await question(options, cli)) } });
      await cli.print.answer(answer, ({ candidates, ...plan }) => [...cli.print.tableLines(candidates, CANDIDATE_COLUMNS), `Model ${plan.model}, configuration ${plan.snapshot_version}.`]);
    });
};

async function question({ endpoint, tenant, body, region, tag }: PlanOptions, { input }: Cli): Promise<Partial<BodyInput<'explainPlan'>>> {
  const requires = { ...(region !== undefined && { region }), ...(tag !== undefined && { tags: tag }) };
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(tenant !== undefined && { tenant }),
    ...(body !== undefined && { body: jsonObject(body, await input.text(body)) }),
    ...(Object.keys(requires).length > 0 && { requires }),
  };
}

function jsonObject(file: string, text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new CliFailure(EXIT.usage, `${file} holds no JSON object.`);
  }
}

const stateOf = (deployment: DeploymentObject): string => (deployment.drained ? 'drained' : healthWords(deployment.health, deployment.trouble, deployment.unavailable_until));

const COLUMNS: Column<DeploymentObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'STATE (UTC)', cell: stateOf, tone: ({ drained, health }) => (drained ? 'yellow' : healthTone(health)) },
  { title: 'MODELS', cell: ({ models }) => orNothing(models.join(', ')), shrinks: true },
  { title: 'FIRST BYTE', cell: (row) => duration(row.first_byte_ms), align: 'right' },
  { title: 'CALLS', cell: ({ calls }) => count(calls), align: 'right' },
  { title: 'FAILURES', cell: ({ failures }) => count(failures), align: 'right' },
];

/** Its place in the plan, else why it has none. */
function placeOf({ order, role, reason, behind }: Candidate): string {
  if (order === null) return orNothing(reason);
  return `${order}${role === 'candidate' || role === null ? '' : ` ${role}`}${behind === null ? '' : ` (${behind})`}`;
}

function waitOf({ wait_ms: own, quota_wait_ms: quota }: Candidate): string {
  if (quota === -1) return 'never';
  return Math.max(own, quota) === 0 ? NOTHING : duration(Math.max(own, quota));
}

const CANDIDATE_COLUMNS: Column<Candidate>[] = [
  { title: 'PLACE', cell: placeOf, tone: ({ order }) => (order === null ? 'dim' : null) },
  { title: 'MODEL', cell: ({ model }) => model, shrinks: true },
  { title: 'DEPLOYMENT', cell: ({ deployment }) => deployment },
  { title: 'CREDENTIAL', cell: ({ credential }) => orNothing(credential) },
  { title: 'TROUBLE', cell: ({ trouble }) => orNothing(trouble), optional: true, tone: () => 'red' },
  { title: 'WAIT', cell: waitOf, align: 'right', optional: true },
  { title: 'FIRST BYTE', cell: (row) => duration(row.first_byte_ms), align: 'right', optional: true },
  { title: 'COST', cell: (row) => dollars(row.cost_usd), align: 'right' },
];

function described(deployment: DeploymentObject, { print }: Cli): string[] {
  const here = deployment.this_gateway;
  return fields([
    ['id', deployment.id],
    ['kind', deployment.kind],
    ['model there', deployment.upstream_model],
    ['models', deployment.models],
    ['state', stateOf(deployment)],
    ['first byte', duration(deployment.first_byte_ms)],
    ['calls', `${count(deployment.calls)}, ${count(deployment.failures)} failed`],
    ['this gateway', `${count(here.in_flight)} under way, first byte ${duration(here.first_byte_ms)}`],
    ['credentials', deployment.credentials.map(({ id, health, trouble, unavailable_until: until }) => `${id}  ${healthWords(health, trouble, until)}`)],
  ], print.paint);
}
