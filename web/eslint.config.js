import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  {
    ignores: ["build/", ".svelte-kit/", "src/lib/api/schema.d.ts", "test-results/", "screenshots/"],
  },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      // TypeScript knows.
      "no-undef": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      // Sets and maps that nothing is drawn from need no signals.
      "svelte/prefer-svelte-reactivity": "off",
      // Pages are at the root of their origin.
      "svelte/no-navigation-without-resolve": "off",
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
);
