/** Posters and cards as PDF; loaded when somebody wants one. */
import { jsPDF } from "jspdf";
import { places, type PrintFormat } from "./formats.ts";
import { codeSquare, drawPiece, type Look } from "./piece.ts";
import { blobOf, type QrCode } from "./qr.ts";

/** 300 dots an inch. */
const PIXELS_PER_MILLIMETRE = 11.8;
const JPEG_QUALITY = 0.94;
const CUT_MARK = 4;

/** Return the sheet: pictures of what is drawn, and the code as a vector above each. */
export async function pdfOf(
  format: PrintFormat,
  look: Look,
  code: QrCode,
  url: string,
): Promise<Blob> {
  const { sheet } = format;
  const canvas = document.createElement("canvas");
  drawPiece(canvas, format, look, code, PIXELS_PER_MILLIMETRE);
  const drawn = await blobOf(canvas, "image/jpeg", JPEG_QUALITY);
  const picture = new Uint8Array(await drawn.arrayBuffer());
  const pdf = new jsPDF({
    unit: "mm",
    format: [sheet.width, sheet.height],
    orientation: sheet.width > sheet.height ? "landscape" : "portrait",
  });
  pdf.setProperties({ title: look.name, subject: url, creator: "FindMe" });
  pdf.setLanguage(look.language);
  const square = codeSquare(format);
  const module = square.side / code.size;
  for (const { x, y } of places(format)) {
    pdf.addImage(picture, "JPEG", x, y, format.width, format.height, "piece", "FAST");
    pdf.setFillColor(255, 255, 255);
    pdf.rect(x + square.x, y + square.y, square.side, square.side, "F");
    pdf.setFillColor(0, 0, 0);
    for (const bar of code.bars)
      pdf.rect(
        x + square.x + bar.x * module,
        y + square.y + bar.y * module,
        bar.width * module,
        module * 1.02,
        "F",
      );
    pdf.link(x + square.x, y + square.y, square.side, square.side, { url });
  }
  cutMarks(pdf, format);
  return pdf.output("blob");
}

/** Short lines at the edge of the sheet, where it is cut. */
function cutMarks(pdf: jsPDF, { width, height, sheet }: PrintFormat): void {
  pdf.setDrawColor(150, 150, 150);
  pdf.setLineWidth(0.15);
  for (let column = 1; column < sheet.columns; column += 1)
    for (let row = 0; row <= sheet.rows; row += 1) {
      const [x, y] = [column * width, row * height];
      pdf.line(x, Math.max(0, y - CUT_MARK), x, Math.min(sheet.height, y + CUT_MARK));
    }
  for (let row = 1; row < sheet.rows; row += 1)
    for (let column = 0; column <= sheet.columns; column += 1) {
      const [x, y] = [column * width, row * height];
      pdf.line(Math.max(0, x - CUT_MARK), y, Math.min(sheet.width, x + CUT_MARK), y);
    }
}
