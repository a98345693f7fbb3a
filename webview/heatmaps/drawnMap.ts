import type { Matrix, MapOf, ViewOptions } from '../../src/shared/views';
import type { TokenColumn } from '../../src/shared/tokenColumns';
import { buildHeatmap, countMeasured, differenceOf, largestMeasured, type HeatmapModel } from '../model/heatmap';
import { columnTitle } from '../model/describe';
import { roleTitle, type RoleColumn } from '../model/roles';
import { BY_INDEX, type MapName, type MapSort, type Values } from '../model/viewState';

/** What is on the screen: descriptions and copies are of this, even while other numbers are on their way. */
export interface DrawnMap {
  name: MapName;
  map: MapOf;
  options: ViewOptions;
  values: Values;
  /** As drawn: estimate, exact or their difference. */
  model: HeatmapModel;
  /** By which cells are named strongest, whatever is drawn. */
  estimate: HeatmapModel;
  exact?: Matrix;
  measured: number;
  /** Of a positions map. */
  columns: TokenColumn[];
  /** Of a positions map whose columns are named positions: what each pair adds, by its own map. */
  roles?: { columns: RoleColumn[]; maps: ReadonlyMap<number, Matrix> };
}

type Parts = Omit<DrawnMap, 'model' | 'estimate' | 'measured'>;

/** Makes maps ready to be drawn, and not again while nothing has changed: sorting tens of thousands of cells takes a while. */
export class MapModels {
  private last?: { estimate: Matrix; parts: Parts; sort: MapSort; drawn: DrawnMap };

  build(estimate: Matrix, parts: Parts, sort: MapSort): DrawnMap {
    const { last } = this;
    const { exact, values, columns } = parts;
    if (last && last.estimate === estimate && last.parts.exact === exact && last.parts.values === values && last.sort === sort) {
      return (last.drawn = { ...last.drawn, columns, roles: parts.roles });
    }
    const difference = exact && values !== 'estimate' ? differenceOf(estimate, exact) : undefined;
    const shown = !exact || !difference ? estimate : values === 'exact' ? exact : difference;
    // Estimates keep their own scale, whatever was measured. What was measured and the difference share one.
    const model = buildHeatmap(shown, sort, exact && difference && Math.max(largestMeasured(exact), largestMeasured(difference)));
    const plain = shown === estimate ? model : last?.estimate === estimate ? last.drawn.estimate : buildHeatmap(estimate, { rows: BY_INDEX, columns: BY_INDEX });
    const drawn: DrawnMap = { ...parts, model, estimate: plain, measured: exact ? countMeasured(exact) : 0 };
    this.last = { estimate, parts, sort, drawn };
    return drawn;
  }
}

/** Exact effect of a cell; undefined where it was not measured. */
export function exactAt({ exact }: Pick<DrawnMap, 'exact'>, row: number, column: number): number | undefined {
  const value = exact?.values[row * exact.columns + column];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** A column of a positions map in full: "position 9 “ John”", or "S2 “ John”". */
export function columnWords({ columns, roles }: Pick<DrawnMap, 'columns' | 'roles'>, column: number): string {
  return roles ? roleTitle(roles.columns[column]!) : columnTitle(columns[column]!);
}
