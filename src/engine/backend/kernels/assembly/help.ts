/** What the other threads do. */

import { ACTIVE, OPEN, SEQUENCE, STOP } from './jobs';
import { work } from './work';

/** Looks at SEQUENCE before a thread goes to sleep. A hundred times as many brought nothing that could be told from noise, and would keep a core from others. */
const LOOKS: i32 = 20000;

/** What a helping thread does, until `stop`. */
export function help(job: usize, scratch: usize): void {
  let seen = 0;
  for (;;) {
    let looks = 0;
    while (atomic.load<i32>(job, SEQUENCE) === seen && looks < LOOKS) looks++;
    if (looks === LOOKS) {
      atomic.wait<i32>(job + SEQUENCE, seen, -1);
      if (atomic.load<i32>(job, SEQUENCE) === seen) continue;
    }
    seen = atomic.load<i32>(job, SEQUENCE);
    if (atomic.load<i32>(job, STOP)) return;
    atomic.add<i32>(job, 1, ACTIVE);
    if (atomic.load<i32>(job, OPEN) === seen) work(job, scratch);
    atomic.sub<i32>(job, 1, ACTIVE);
  }
}

/** Ends the helping threads. */
export function stop(job: usize): void {
  atomic.store<i32>(job, 1, STOP);
  atomic.add<i32>(job, 1, SEQUENCE);
  atomic.notify(job + SEQUENCE, -1);
}
