/** Work on a job, of whatever kind. */

import { workOnGelu, workOnGeluBackward } from './gelu';
import { closeJob, GELU, GELU_BACKWARD, KIND, openJob, PRODUCT } from './jobs';
import { workOnProduct } from './matmul';
import { workOnSoftmax } from './softmax';

/** Takes pieces of the job until none is left. */
export function work(job: usize, scratch: usize): void {
  const kind = load<i32>(job, KIND);
  if (kind === PRODUCT) workOnProduct(job, scratch);
  else if (kind === GELU) workOnGelu(job);
  else if (kind === GELU_BACKWARD) workOnGeluBackward(job);
  else workOnSoftmax(job);
}

/** Does a job whose own fields are written. `shared`: other threads may help, if there is more than one piece. */
export function runJob(job: usize, scratch: usize, kind: i32, pieces: i32, shared: bool): void {
  const isShared = shared && pieces > 1;
  openJob(job, kind, pieces, isShared);
  work(job, scratch);
  closeJob(job, pieces, isShared);
}
