/** Which documents a page asks for: what a page is made of comes and goes without. */
import type { Page } from "@playwright/test";

/** Return the paths of the documents from now on, as they are asked for. */
export function documentsOf(page: Page): string[] {
  const paths: string[] = [];
  page.on("request", (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame())
      paths.push(new URL(request.url()).pathname);
  });
  return paths;
}
