import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder, DashboardBuilder, DashboardCursorSync, DashboardLinkBuilder, DashboardLinkType, DatasourceVariableBuilder, QueryVariableBuilder, RowBuilder, VariableRefresh, VariableSort,
  type Dashboard, type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { DATASOURCE } from './panels.ts';

/** A list above the dashboard, of the values that a label of a metric has. All of them unless somebody chooses. */
export interface Choice {
  /** As `$name` in queries. */
  name: string;
  title: string;
  /** Where its values are looked up. */
  metric: string;
  label: string;
}

export interface DashboardText {
  uid: string;
  title: string;
  description: string;
  /** How far back it looks at first, as `now-1h`. */
  from?: string;
  choices?: Choice[];
  content: (Builder<Panel> | RowBuilder)[];
}

const TAG = 'deja';

/** The dashboard as Grafana's file provisioning reads it. */
export function dashboard({ uid, title, description, from = 'now-1h', choices = [], content }: DashboardText): Dashboard {
  const builder = new DashboardBuilder(`deja / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .editable()
    .timezone('browser')
    .refresh('30s')
    .time({ from, to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .link(new DashboardLinkBuilder('deja').type(DashboardLinkType.Dashboards).tags([TAG]).asDropdown(false).keepTime(true).includeVars(false).icon('external link').tooltip('').url(''))
    .annotation(firingAlerts())
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus').regex('').current({ selected: true, text: 'Prometheus', value: 'prometheus' }));
  for (const choice of choices) builder.withVariable(variable(choice));
  for (const part of content) {
    if (part instanceof RowBuilder) builder.withRow(part);
    else builder.withPanel(part);
  }
  return withIds(builder.build());
}

/** When alerts of deja began to fire, as lines across all graphs. */
function firingAlerts(): AnnotationQueryBuilder {
  const expr = 'ALERTS{alertname=~"Deja.*", alertstate="firing"}';
  return new AnnotationQueryBuilder().name('Alerts').datasource(DATASOURCE).enable(true).iconColor('red').expr(expr).titleFormat('{{alertname}}').textFormat('{{severity}}').step('30s')
    .target(new DataqueryBuilder().refId('Alerts').expr(expr));
}

function variable({ name, title, metric, label }: Choice): QueryVariableBuilder {
  const query = `label_values(${metric}, ${label})`;
  return new QueryVariableBuilder(name).label(title).datasource(DATASOURCE).query({ query, refId: name }).definition(query).multi(true).includeAll(true).allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] }).refresh(VariableRefresh.OnTimeRangeChanged).sort(VariableSort.AlphabeticalAsc).regex('');
}

/** Grafana would number panels anew with every import; fixed numbers keep links to a panel good. */
function withIds(made: Dashboard): Dashboard {
  made.panels?.forEach((panel, i) => (panel.id = i + 1));
  return made;
}
