declare global {
  namespace App {
    interface PageState {
      /** What is over the page, so that going back closes it. */
      step?: "consent" | "selfie" | "viewer";
    }
  }
}

export {};
