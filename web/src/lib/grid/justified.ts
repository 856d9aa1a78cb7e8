/** Rows of photos that fill the width, each photo whole and in its own shape. */

export interface Cell {
  index: number;
  left: number;
  width: number;
}

export interface Row {
  top: number;
  height: number;
  cells: Cell[];
}

export interface Layout {
  rows: Row[];
  height: number;
}

/** How high rows are about, and how far apart photos are, in pixels. */
export interface Measures {
  width: number;
  rowHeight: number;
  gap: number;
}

/** The last row is not drawn out further than this. */
const MOST_STRETCHED = 1.25;

/**
 * Put photos into rows: a row is closed when, at the wanted height, it is as wide as the page.
 *
 * @param ratios width by height of each photo.
 */
export function justify(ratios: readonly number[], { width, rowHeight, gap }: Measures): Layout {
  const rows: Row[] = [];
  let top = 0;
  let first = 0;
  let sum = 0;
  const close = (end: number, height: number): void => {
    let left = 0;
    const cells: Cell[] = [];
    for (let index = first; index < end; index += 1) {
      const cell = { index, left, width: (ratios[index] ?? 1) * height };
      cells.push(cell);
      left += cell.width + gap;
    }
    rows.push({ top, height, cells });
    top += height + gap;
    first = end;
    sum = 0;
  };
  for (let index = 0; index < ratios.length; index += 1) {
    sum += ratios[index] ?? 1;
    const room = width - gap * (index - first);
    if (sum * rowHeight >= room) close(index + 1, room / sum);
  }
  if (first < ratios.length) {
    const room = width - gap * (ratios.length - 1 - first);
    close(ratios.length, Math.min(room / sum, rowHeight * MOST_STRETCHED));
  }
  return { rows, height: Math.max(0, top - gap) };
}

/** The rows that touch what lies between two heights; by halves, as there may be thousands. */
export function rowsBetween(rows: readonly Row[], from: number, to: number): readonly Row[] {
  const firstBelow = (height: number): number => {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = rows[middle];
      if (row && row.top + row.height < height) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const start = firstBelow(from);
  let end = start;
  while (end < rows.length && (rows[end]?.top ?? Infinity) <= to) end += 1;
  return rows.slice(start, end);
}
