/**
 * Which calls have been cancelled, in memory that both sides of a thread boundary see: a computing thread reads no messages.
 * Call ids count up; a slot holds the last cancelled id that falls on it.
 */
export class CancelFlags {
  private readonly slots: Int32Array;

  constructor(readonly buffer = new SharedArrayBuffer(4 * 64)) {
    this.slots = new Int32Array(buffer);
  }

  raise(id: number): void {
    Atomics.store(this.slots, id % this.slots.length, id);
  }

  isRaised(id: number): boolean {
    return Atomics.load(this.slots, id % this.slots.length) === id;
  }
}
