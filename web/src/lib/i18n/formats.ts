/** How numbers, dates and plurals are written in one language. */
export interface Formats {
  number(n: number): string;
  plural(n: number): Intl.LDMLPluralRule;
  date(moment: string | Date): string;
  moment(moment: string | Date): string;
  duration(seconds: number): string;
  /** Bytes, as MB and the like. */
  size(bytes: number): string;
  share(part: number): string;
  time(moment: string | Date): string;
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

export function formatsOf(language: string): Formats {
  const number = new Intl.NumberFormat(language);
  const plural = new Intl.PluralRules(language);
  const date = new Intl.DateTimeFormat(language, { dateStyle: "long" });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  const time = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  const share = new Intl.NumberFormat(language, { style: "percent" });
  const size = (bytes: number): string => {
    const step = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
    const value = bytes / 1000 ** step;
    return new Intl.NumberFormat(language, {
      style: "unit",
      unit: SIZES[step] ?? "byte",
      maximumFractionDigits: step > 1 && value < 10 ? 1 : 0,
    }).format(value);
  };
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long" }).format(
      value,
    );
  return {
    number: (n) => number.format(n),
    plural: (n) => plural.select(n),
    date: (one) => date.format(new Date(one)),
    moment: (one) => moment.format(new Date(one)),
    duration: (seconds) =>
      seconds < 90
        ? unit(Math.ceil(seconds), "second")
        : seconds < 5400
          ? unit(Math.ceil(seconds / 60), "minute")
          : unit(Math.ceil(seconds / 3600), "hour"),
    size,
    share: (part) => share.format(part),
    time: (one) => time.format(new Date(one)),
  };
}
