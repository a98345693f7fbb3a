import { createCircuitsWork, type CircuitsWork, type CircuitsWorkDependencies } from './circuitsWork';
import { createGraphFiles, type GraphFiles, type GraphFilesDependencies } from './graphFiles';
import { createPathsWork, type PathsWork, type PathsWorkDependencies } from './pathsWork';

/** What works on the edges and circuits of runs: what the Paths view and the commands ask. */
export interface PathAnswers {
  paths: PathsWork;
  circuits: CircuitsWork;
  files: GraphFiles;
}

export function createPathAnswers(dependencies: PathsWorkDependencies & CircuitsWorkDependencies & Omit<GraphFilesDependencies, 'circuits'>): PathAnswers {
  const circuits = createCircuitsWork(dependencies);
  return { circuits, paths: createPathsWork(dependencies), files: createGraphFiles({ ...dependencies, circuits }) };
}
