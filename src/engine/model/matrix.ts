import * as tf from '@tensorflow/tfjs-core';
import { PACK_MATRIX, PACKED_MATMUL, type PackedProduct } from '../backend/kernels/packed';
import { valuesInPlace } from './heapValues';

/** A weight W [in, out], held in the layout that its backend multiplies quickest, and in no other. */
export interface Matrix {
  /** [in, out] */
  readonly shape: readonly [number, number];
  /** x·W + bias: [rows, in] → [rows, out]. */
  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D;
  /** y·Wᵀ: [rows, out] → [rows, in]. */
  transposedTimes(y: tf.Tensor2D): tf.Tensor2D;
  /** A copy, row by row: [in, out]. */
  copy(): tf.Tensor2D;
  /** Writes its columns, `width` at a time: [columns / width, in, width]. */
  copyColumns(width: number, into: Float32Array): void;
  dispose(): void;
}

/** Holds `values`, which it takes over: the caller no longer uses nor disposes them. */
export function matrix(values: tf.Tensor2D): Matrix {
  return tf.getKernel(PACK_MATRIX, tf.getBackend()) ? new PackedMatrix(values) : new PlainMatrix(values);
}

class PlainMatrix implements Matrix {
  constructor(private readonly values: tf.Tensor2D) {}

  get shape(): [number, number] {
    return this.values.shape;
  }

  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
    return tf.fused.matMul({ a: x, b: this.values, bias }) as tf.Tensor2D;
  }

  transposedTimes(y: tf.Tensor2D): tf.Tensor2D {
    return tf.matMul(y, this.values, false, true);
  }

  copy(): tf.Tensor2D {
    return this.values.clone();
  }

  copyColumns(width: number, into: Float32Array): void {
    const [rows, columns] = this.shape;
    const values = valuesInPlace(this.values);
    for (let row = 0; row < rows; row++) {
      for (let first = 0; first < columns; first += width) into.set(values.subarray(row * columns + first, row * columns + first + width), first * rows + row * width);
    }
  }

  dispose(): void {
    this.values.dispose();
  }
}

class PackedMatrix implements Matrix {
  readonly shape: readonly [number, number];
  /** [panel, in, columns of a panel], which are 8 or 16. */
  private readonly panels: tf.Tensor3D;

  constructor(values: tf.Tensor2D) {
    this.shape = values.shape;
    this.panels = run(PACK_MATRIX, { x: values }) as tf.Tensor3D;
    values.dispose();
  }

  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
    return this.product({ x, weight: this.panels, ...(bias && { bias }) }, false);
  }

  transposedTimes(y: tf.Tensor2D): tf.Tensor2D {
    return this.product({ x: y, weight: this.panels }, true);
  }

  copy(): tf.Tensor2D {
    const [rows, columns] = this.shape;
    return tf.tidy(() => {
      const [panels, , width] = this.panels.shape;
      return tf.slice(tf.reshape(tf.transpose(this.panels, [1, 0, 2]), [rows, panels * width]) as tf.Tensor2D, [0, 0], [rows, columns]);
    });
  }

  copyColumns(width: number, into: Float32Array): void {
    const [rows, columns] = this.shape;
    const [, , broad] = this.panels.shape;
    const values = valuesInPlace(this.panels);
    if (width % broad > 0) {
      for (let column = 0; column < columns; column++) {
        const target = Math.floor(column / width) * rows * width + (column % width);
        const from = Math.floor(column / broad) * rows * broad + (column % broad);
        for (let row = 0; row < rows; row++) into[target + row * width] = values[from + row * broad]!;
      }
      return;
    }
    // Two numbers at a time, in the place of a double. Its bits are kept as they are unless it is NaN, which takes an upper number that is NaN too.
    const [source, copy] = [values, into].map((all) => new Float64Array(all.buffer, all.byteOffset, all.length >> 1)) as [Float64Array, Float64Array];
    const [half, step] = [broad / 2, (rows * broad) / 2];
    let target = 0;
    for (let first = 0; first < columns; first += width) {
      for (let row = 0; row < rows; row++) {
        let from = (first * rows + row * broad) / 2;
        for (let panel = 0; panel < width / broad; panel++, from += step) {
          for (let i = 0; i < half; i++) copy[target++] = source[from + i]!;
        }
      }
    }
  }

  dispose(): void {
    this.panels.dispose();
  }

  private product(inputs: PackedProduct['inputs'], transposed: boolean): tf.Tensor2D {
    const attrs: PackedProduct['attrs'] = { columns: this.shape[1], transposed };
    return run(PACKED_MATMUL, inputs, attrs) as tf.Tensor2D;
  }
}

function run(kernel: string, inputs: object, attrs: object = {}): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;
}
