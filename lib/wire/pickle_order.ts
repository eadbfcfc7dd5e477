import type { ArrayLayout } from "./pickle_items.ts";

/**
 * Shape and bytes of an array in C order; the bytes as they are where they already lie like that.
 *
 * @param data the bytes of the whole shape, which has been checked
 * @param itemSize bytes an item
 */
export function inCOrder(
  { shape, order }: Pick<ArrayLayout, "shape" | "order">,
  data: Uint8Array,
  itemSize: number,
): { shape: number[]; data: Uint8Array } {
  if (order === "C") return { shape, data };
  const strides: number[] = [];
  let stride = itemSize;
  for (let step = 0; step < shape.length; step++) {
    const axis = order === "F" ? step : shape.length - 1 - step;
    strides[axis] = stride;
    stride *= shape[axis];
  }
  const ownShape = order === "F" ? shape : order.map((axis) => shape[axis]);
  const ownStrides = order === "F" ? strides : order.map((axis) => strides[axis]);
  const axes = ownShape.map((count, axis) => ({ count, stride: ownStrides[axis] }));
  if (itemSize > 1) axes.push({ count: itemSize, stride: 1 });
  return { shape: ownShape, data: gather(data, axes.filter(({ count }) => count !== 1)) };
}

/**
 * Copies `data` so that the last axis becomes the fastest.
 *
 * @param axes none with an extent of 1, so that their number is bounded by the data's size
 */
function gather(data: Uint8Array, axes: { count: number; stride: number }[]): Uint8Array {
  if (axes.length === 0 || data.byteLength === 0) return data;
  const gathered = new Uint8Array(data.byteLength);
  let to = 0;
  function copyAxis(level: number, from: number): void {
    const { count, stride } = axes[level];
    const end = from + count * stride;
    if (level < axes.length - 1) {
      for (let at = from; at < end; at += stride) copyAxis(level + 1, at);
    } else {
      for (let at = from; at < end; at += stride) gathered[to++] = data[at];
    }
  }
  copyAxis(0, 0);
  return gathered;
}
