/** What is printed: the size of one piece, and how many of them lie on which sheet; millimetres. */
export interface PrintFormat {
  id: "poster" | "cards" | "smallCards";
  width: number;
  height: number;
  sheet: { width: number; height: number; columns: number; rows: number };
}

const A3 = { width: 420, height: 297 };
const A4 = { width: 210, height: 297 };

export const FORMATS: readonly PrintFormat[] = [
  { id: "poster", ...A4, sheet: { ...A4, columns: 1, rows: 1 } },
  // A sheet of A3 has eight of A6, one of A4 eight of A7.
  { id: "cards", width: 105, height: 148.5, sheet: { ...A3, columns: 4, rows: 2 } },
  {
    id: "smallCards",
    width: 74.25,
    height: 105,
    sheet: { width: A4.height, height: A4.width, columns: 4, rows: 2 },
  },
];

/** Where each piece of a sheet lies, row by row. */
export function places({ width, height, sheet }: PrintFormat): { x: number; y: number }[] {
  return Array.from({ length: sheet.rows * sheet.columns }, (_, number) => ({
    x: (number % sheet.columns) * width,
    y: Math.floor(number / sheet.columns) * height,
  }));
}
