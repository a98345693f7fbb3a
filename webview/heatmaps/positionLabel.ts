import type { TokenColumn } from '../../src/shared/tokenColumns';
import { columnPlace } from '../model/describe';
import type { RoleColumn } from '../model/roles';
import { shortTexts } from '../model/tokens';
import type { ColumnLabel } from './heatmapDrawing';

/** Clean over corrupted where they differ; the common token, or the two most frequent, elsewhere. */
export function positionLabel(column: TokenColumn): ColumnLabel {
  const clean = shortTexts(column.clean);
  const lines = column.differs ? [clean, shortTexts(column.corrupted)] : [clean];
  const varied = column.clean.length > 1;
  const classes = [column.differs ? 'differs' : '', column.shared ? 'shared' : '', varied ? 'varied' : ''].filter((name) => name !== '');
  return { lines: lines[0] === lines[1] ? [clean] : lines, index: columnPlace(column), classes };
}

/** What stands at a named position, and its name. */
export function roleLabel({ name, texts }: RoleColumn): ColumnLabel {
  return { lines: [shortTexts(texts)], index: name, classes: texts.length > 1 ? ['varied'] : [] };
}
