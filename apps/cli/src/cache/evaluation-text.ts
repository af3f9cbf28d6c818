import type { Printer } from '../output/printer.ts';
import { count, NOTHING, orNothing } from '../output/readable.ts';
import type { Column } from '../output/table.ts';
import type { CurvePoint, Figures } from './evaluation.ts';
import type { Decided, EvaluationReport } from './evaluation-report.ts';
import { shareText, shareTextUp } from './share-text.ts';

const NAMES: Record<Decided['of'], string> = { verdict: 'verdict alone', reached: 'behind eligibility' };

/** The report for people, a line each. */
export function evaluationLines(report: EvaluationReport, print: Pick<Printer, 'tableLines' | 'paint'>): string[] {
  const { pairs, decisions, bad_lines: bad, ineligible, verifier } = report;
  const title = (text: string): string => print.paint(text, 'bold');
  const same = decisions[0]?.same ?? 0;
  const never = ineligible.same + ineligible.different;
  return [
    `${count(pairs)} pairs: ${count(same)} the same, ${count(pairs - same)} different.${verifier === null ? '' : ` Verifier ${verifier}.`}`,
    `${count(never)} of them would never meet in a semantic cache, because a question is not eligible in tenant scope: ${count(ineligible.same)} the same, ${count(ineligible.different)} different.`,
    ...(bad.count === 0 ? [] : [`${count(bad.count)} ${bad.count === 1 ? 'line' : 'lines'} could not be read: ${bad.first.slice(0, 5).map(({ line, problem }) => `line ${line} ${problem}`).join('; ')}${bad.count > 5 ? '; …' : '.'}`]),
    '',
    ...print.tableLines(decisions, [
      { title: 'DECISION', cell: ({ decision }) => decision },
      { title: 'OF', cell: ({ of }) => NAMES[of] },
      ...figureColumns<Decided>(),
    ]),
    ...kindLines(report, title, print),
    ...curveLines(report, title, print),
    ...errorLines(report, title, print),
  ];
}

const figureColumns = <Row extends Figures>(): Column<Row>[] => [
  { title: 'PRECISION', cell: ({ precision }) => rate(precision), align: 'right' },
  { title: 'RECALL', cell: ({ recall, served_same: served, same }) => (recall === null ? NOTHING : `${shareText(recall)} (${count(served)}/${count(same)})`), align: 'right' },
  { title: 'WRONG', cell: ({ wrong_rate: wrong, served_different: served, different }) => (wrong === null ? NOTHING : `${shareTextUp(wrong)} (${count(served)}/${count(different)})`), align: 'right' },
];

/** By the verdict alone: what eligibility leaves of it is another matter. */
function kindLines({ decisions }: EvaluationReport, title: (text: string) => string, print: Pick<Printer, 'tableLines'>): string[] {
  const alone = decisions.filter(({ of }) => of === 'verdict');
  const kinds = alone[0]?.kinds ?? [];
  if (kinds.length === 0) return [];
  const columns = alone.flatMap(({ decision, kinds: each }): Column<{ kind: string }>[] => {
    const of = new Map(each.map((one) => [one.kind, one]));
    return figureColumns<Figures>().slice(1).map(({ title: name, cell }) => ({
      title: `${decision.toUpperCase()} ${name}`,
      cell: ({ kind }) => {
        const one = of.get(kind);
        return one === undefined ? NOTHING : cell(one);
      },
      align: 'right',
    }));
  });
  return ['', title('By kind, verdict alone'), ...print.tableLines(kinds, [{ title: 'KIND', cell: ({ kind }) => kind, shrinks: true }, ...columns])];
}

function curveLines({ cosine_curve: cosine, logit_curve: logit, verifier }: EvaluationReport, title: (text: string) => string, print: Pick<Printer, 'tableLines'>): string[] {
  const columns: Column<CurvePoint>[] = [
    { title: 'THRESHOLD', cell: ({ threshold }) => threshold.toFixed(2), align: 'right' },
    { title: 'PRECISION', cell: ({ precision }) => rate(precision), align: 'right' },
    { title: 'RECALL', cell: ({ recall }) => rate(recall), align: 'right' },
    { title: 'WRONG', cell: ({ wrong_rate: wrong }) => (wrong === null ? NOTHING : shareTextUp(wrong)), align: 'right' },
  ];
  const byCosine = ['', title('What similarity alone would do: served from this cosine on'), ...print.tableLines(cosine, columns)];
  if (verifier === null || logit.length === 0) return byCosine;
  return [...byCosine, '', title("Words decide, and where they leave it open the verifier's logit, from this one on"), ...print.tableLines(logit, columns)];
}

function errorLines({ errors }: EvaluationReport, title: (text: string) => string, print: Pick<Printer, 'tableLines'>): string[] {
  if (errors.length === 0) return [];
  const rows = errors.flatMap(({ a, b, kind, similarity, served_as: served, explanation, reached }) => [
    { what: `${orNothing(kind)}, ${similarity === null ? NOTHING : similarity.toFixed(2)}`, text: `as ${served}: ${explanation}${reached ? '' : ' (not reached)'}` },
    { what: '', text: a },
    { what: '', text: b },
  ]);
  const [, ...lines] = print.tableLines(rows, [{ title: '', cell: ({ what }) => what }, { title: '', cell: ({ text }) => text, shrinks: true }]);
  return ['', title('Wrongly served, the most similar first'), ...lines];
}

const rate = (share: number | null): string => (share === null ? NOTHING : shareText(share));
