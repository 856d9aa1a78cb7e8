/** What is used of it here: `make bench` alone installs it, and types are checked without. */
declare module "lighthouse" {
  interface Audit {
    title: string;
    displayValue?: string;
    score: number | null;
  }
  interface Category {
    score: number | null;
    auditRefs: { id: string; weight: number }[];
  }
  export interface Result {
    lhr: {
      runtimeError?: { message: string };
      audits: Record<string, Audit>;
      categories: Record<string, Category>;
    };
  }
  export const desktopConfig: object;
  export default function lighthouse(
    url: string,
    flags: object,
    config?: object,
  ): Promise<Result | undefined>;
  export function snapshot(
    page: import("puppeteer-core").Page,
    options: { flags: object; config?: object },
  ): Promise<Result | undefined>;
}

declare module "puppeteer-core" {
  export interface Page {
    goto(url: string): Promise<unknown>;
    click(selector: string): Promise<void>;
    waitForSelector(selector: string, options?: { timeout: number }): Promise<unknown>;
    close(): Promise<void>;
  }
  interface Browser {
    newPage(): Promise<Page>;
    disconnect(): Promise<void>;
  }
  const puppeteer: {
    connect(options: { browserURL: string; defaultViewport: object }): Promise<Browser>;
  };
  export default puppeteer;
}
