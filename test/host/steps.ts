/** Lets the engine work step by step, as told. */
export class Steps {
  private allowed = 0;
  private readonly waiting: (() => void)[] = [];

  allow(count: number): void {
    this.allowed += count;
    while (this.allowed > 0 && this.waiting.length > 0) {
      this.allowed--;
      this.waiting.shift()!();
    }
  }

  readonly gate = (): Promise<void> => {
    if (this.allowed > 0) {
      this.allowed--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  };
}
