/** Named float32 arrays in one transferable buffer: the form in which the engine returns numbers and runs keep them. */

export interface ArrayEntry {
  /** Axis names, outermost first. */
  axes: string[];
  shape: number[];
  /** In floats, not bytes. */
  offset: number;
}

export interface NamedArrays {
  data: Float32Array;
  entries: Record<string, ArrayEntry>;
}

export interface ArrayView {
  axes: readonly string[];
  shape: readonly number[];
  data: Float32Array;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Packs arrays into one buffer, in the order given. */
export function packArrays(arrays: readonly { name: string; axes: readonly string[]; shape: readonly number[]; data: Float32Array }[]): NamedArrays {
  const total = arrays.reduce((sum, array) => sum + array.data.length, 0);
  const packed: NamedArrays = { data: new Float32Array(total), entries: {} };
  let offset = 0;
  for (const { name, axes, shape, data } of arrays) {
    if (data.length !== sizeOf(shape) || axes.length !== shape.length) {
      throw new RangeError(`array ${name}: ${data.length} values do not fill ${shape.join('×')} (${axes.join(', ')})`);
    }
    packed.data.set(data, offset);
    packed.entries[name] = { axes: [...axes], shape: [...shape], offset };
    offset += data.length;
  }
  return packed;
}

/** A view (no copy) of one array. Throws RangeError when there is none of that name. */
export function arrayNamed(arrays: NamedArrays, name: string): ArrayView {
  const entry = arrays.entries[name];
  if (!entry) throw new RangeError(`no array named ${name}; there are ${Object.keys(arrays.entries).join(', ')}`);
  return { axes: entry.axes, shape: entry.shape, data: arrays.data.subarray(entry.offset, entry.offset + sizeOf(entry.shape)) };
}
