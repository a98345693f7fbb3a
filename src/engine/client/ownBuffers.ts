/**
 * The same value, with each typed array in a buffer of its own size. What comes over a process's channel is a view of the whole
 * message, and whoever hands the array on would hand on, or keep alive, all of that.
 */
export function withOwnBuffers<T>(value: T): T {
  return own(value) as T;
}

function own(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    if (value.byteLength === value.buffer.byteLength || value instanceof DataView) return value;
    return (value as Float32Array).slice();
  }
  if (Array.isArray(value)) return value.length > 0 && typeof value[0] === 'object' ? value.map(own) : (value as unknown[]);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, own(item)]));
}
